/** The directory of VM 7 as oned spells it, and the UUID of its domain. */
export const DIRECTORY = "/var/lib/one//datastores/0/7";
export const PLAIN_DIRECTORY = "/var/lib/one/datastores/0/7";
export const UUID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
export const OTHER_UUID = "11111111-2222-4333-8444-555555555555";
export const FILE = `${DIRECTORY}/deployment.0`;

interface Parts {
  readonly name?: string;
  readonly uuid?: string | undefined;
  readonly os?: string;
  readonly devices?: string;
  readonly features?: string;
  readonly datastore?: string;
}

/** A domain document of oned with these parts. */
export function documentOf({ name = "one-7", uuid = UUID, os = "", devices = "", features = "<acpi/>", datastore = DIRECTORY }: Parts = {}): string {
  return `<domain type='kvm' xmlns:one='http://opennebula.org/xmlns/libvirt/1.0'>
  <name>${name}</name>
  ${uuid === "" ? "" : `<uuid>${uuid}</uuid>`}
  <memory>65536</memory>
  <os><type arch='x86_64'>hvm</type>${os}</os>
  <features>${features}</features>
  <devices>${devices}</devices>
  <metadata><one:vm><one:system_datastore>${datastore}</one:system_datastore></one:vm></metadata>
</domain>
`;
}

export const TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>";
export const KEPT_TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0' persistent_state='yes'/></tpm>";
export const VGPU = "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='1f0b2a3c-0000-4000-8000-000000000001'/></source></hostdev>";
export const VM_XML_WITH_VGPU = "<VM><TEMPLATE><PCI><UUID><![CDATA[1f0b2a3c-0000-4000-8000-000000000001]]></UUID></PCI></TEMPLATE></VM>";

/** A tar archive of these files, not compressed. */
export function tar(files: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  return Buffer.concat([...Object.entries(files).flatMap(([name, content]) => entry(name, Buffer.from(content as string))), Buffer.alloc(1024)]);
}

/** One entry of a tar archive; `size` may lie, `type` is "0" for a file. */
export function entry(name: string, content: Uint8Array, { size = content.length.toString(8).padStart(11, "0"), type = "0" } = {}): Uint8Array[] {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(size, 124);
  header.write(type, 156);
  header.write("ustar", 257);
  return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}
