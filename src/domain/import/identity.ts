import { type Importer, note, type Piece, single, type Wild } from "./piece.ts";

/** Characters that OpenNebula refuses in names (domain-xml.md 4.1), and those that are no text. */
const REFUSED = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029&|:\\";/'#{}$<>\s]+/gu;
const LONGEST_NAME = 128;

/** A name that OpenNebula accepts for a VM, an image or a template. */
export function acceptedName(text: string): string {
  const plain = text.toWellFormed().replace(REFUSED, "-").replace(/^-+|-+$/g, "");
  let name = plain === "" ? "imported" : plain;
  while (Buffer.byteLength(name) > LONGEST_NAME) name = name.slice(0, -1);
  return name.toWellFormed().replaceAll("\ufffd", "");
}

/** NAME and DESCRIPTION. A domain of OpenNebula has the VM's name as its title. */
export const identity: Importer = ({ root, vmName }) => {
  const name = root.childText("name") ?? "";
  const title = root.childText("title");
  const wanted = nameOf(name, title);
  root.child("metadata")?.finish();
  root.child("resource")?.finish();
  root.attribute("id");
  return [
    ...single("NAME", vmName),
    ...single("DESCRIPTION", root.childText("description") ?? (title === wanted ? undefined : title)),
    ...single("HYPERVISOR", "kvm"),
    ...(vmName === wanted ? [] : [note("the name holds what OpenNebula refuses in names")]),
  ];
};

/** The name that the VM ought to have. */
export function nameOf(name: string, title: string | undefined): string {
  return /^one-\d+$/.test(name) && title ? title : name;
}

/** `<domain type=…>`: the driver of the host decides it, not the template. */
export const kind: Importer = ({ root }) => {
  const type = root.attribute("type") ?? "";
  root.child("emulator");
  if (type === "kvm") return [];
  return [note(type === "qemu" ? "the domain is emulated (type qemu): it needs a host with VM_MAD qemu" : `the domain is of type ${type}: OpenNebula starts kvm and qemu`)];
};

/** Programs that a host of OpenNebula has under the name of its default. */
const USUAL = ["/usr/bin/qemu-kvm-one", "/usr/bin/qemu-kvm", "/usr/libexec/qemu-kvm", "/usr/bin/kvm", "/usr/bin/kvm-spice"];

/** EMULATOR, where it is not just another name of the usual program. */
export const emulator: Importer = ({ devices, arch }): readonly Piece[] => {
  const path = devices?.childText("emulator") ?? "";
  return USUAL.includes(path) || path === `/usr/bin/qemu-system-${arch}` ? [] : single("EMULATOR", path);
};

/** What the domain does when its guest ends; libvirt's defaults are OpenNebula's. */
const EVENTS: Readonly<Record<string, string>> = { on_poweroff: "destroy", on_reboot: "restart", on_crash: "destroy" };

export const events: Importer = ({ root }: Wild) => Object.entries(EVENTS).flatMap(([name, usual]): readonly Piece[] => {
  const event = root.child(name);
  return event && event.text() !== usual ? [{ kind: "raw", parent: "domain", element: event.element }] : [];
});
