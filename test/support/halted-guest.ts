import { mkdirSync, writeFileSync } from "node:fs";
import { run } from "./executable-tree.ts";
import { Guest } from "./lab.ts";

/** `cli; hlt; jmp`: a boot sector that halts for ever, and takes no processor. */
const SECTOR = Buffer.alloc(512);
SECTOR.set([0xfa, 0xf4, 0xeb, 0xfd]);
SECTOR.set([0x55, 0xaa], 510);

/** A VM that does nothing, with one disk and one NIC, for tests that need several. Not yet started. */
export async function haltedGuest(vmid: number): Promise<Guest> {
  const guest = await Guest.make(vmid);
  mkdirSync(guest.directory, { recursive: true });
  writeFileSync(`${guest.directory}/disk.0`, Buffer.concat([SECTOR, Buffer.alloc(1024 * 1024 - SECTOR.length)]));
  await run(["chown", "-R", "oneadmin:oneadmin", guest.directory]);
  return guest.with(() => document(guest));
}

function document({ name, uuid, directory, vmid }: Guest): string {
  return `<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid><memory unit='MiB'>16</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${directory}/disk.0'/><target dev='vda' bus='virtio'/></disk>
<interface type='bridge'><source bridge='onebr0'/><target dev='${name}-0'/><model type='virtio'/></interface></devices>
<metadata><one:vm xmlns:one="http://opennebula.org/xmlns/libvirt/1.0"><one:system_datastore><![CDATA[${directory}]]></one:system_datastore><one:name><![CDATA[${vmid}]]></one:name></one:vm></metadata></domain>
`;
}
