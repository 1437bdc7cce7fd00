import { defaultText } from "./default-text.ts";
import { type Importer, note, type Piece, raw, vector, type Wild } from "./piece.ts";
import type { Reading } from "./reading.ts";

/** OS: machine, kernel, firmware and the UUID. BOOT is added when all devices are known. */
export const os: Importer = (wild) => {
  const { root, arch, machine, sdBuses } = wild;
  const own = root.child("os");
  const type = own?.child("type");
  for (const name of ["arch", "machine"]) type?.attribute(name);
  type?.text();
  bootDevices(wild);
  const entries = { ARCH: arch, MACHINE: machine, ...kernel(own), ...firmware(own), SD_DISK_BUS: sdBuses.has("sata") ? "sata" : sdBuses.has("scsi") ? "scsi" : undefined, UUID: root.childText("uuid") };
  return [...vector("OS", entries), ...firmwareNotes(wild, own)];
};

/** Sleep states. With a firmware image the generator switches them off by itself. */
export const powerManagement: Importer = ({ root }): readonly Piece[] => {
  const own = root.child("pm");
  if (!own) return [];
  const off = ["suspend-to-mem", "suspend-to-disk"].every((name) => own.child(name)?.attribute("enabled") !== "yes");
  if (!isImage(root.child("os"))) return [raw("domain", own)];
  return off ? [] : [note("sleep states are switched on (pm): OpenNebula switches them off for a VM with a firmware image")];
};

/** A root device that comes first and alone keeps its own key: values of a template cannot end in a blank. */
function kernel(own: Reading | undefined): Readonly<Record<string, string | undefined>> {
  const command = own?.child("cmdline");
  const untrimmed = command?.element.children.filter((each) => typeof each === "string").join("") ?? "";
  command?.text();
  const [, rootDevice, rest] = /^root=\/dev\/(\S+) (.*)$/s.exec(untrimmed) ?? [];
  return {
    KERNEL: own?.childText("kernel"), INITRD: own?.childText("initrd"), BOOTLOADER: own?.childText("bootloader"),
    ROOT: rootDevice, KERNEL_CMD: rootDevice === undefined ? untrimmed.trim() : rest,
  };
}

function firmware(own: Reading | undefined): Readonly<Record<string, string | undefined>> {
  const loader = own?.child("loader");
  const nvram = own?.child("nvram");
  if (own?.attribute("firmware") === "efi") {
    loader?.finish();
    nvram?.finish();
    const features = own.child("firmware")?.children("feature") ?? [];
    for (const each of features) each.attribute("enabled");
    return { FIRMWARE: "UEFI", FIRMWARE_SECURE: features.find((each) => each.attribute("name") === "secure-boot")?.attribute("enabled") === "yes" ? "YES" : "NO" };
  }
  if (!isImage(own)) return {};
  nvram?.finish();
  loader?.attribute("readonly");
  return { FIRMWARE: loader?.text(), FIRMWARE_SECURE: loader?.attribute("secure") === "yes" ? "YES" : "NO", FIRMWARE_FORMAT: nvram?.attribute("format") === "qcow2" ? "qcow2" : undefined };
}

/** Whether the domain names an image of a UEFI firmware itself. */
export function isImage(own: Reading | undefined): boolean {
  return own?.attribute("firmware") === undefined && own?.child("loader")?.attribute("type") === "pflash";
}

/** The running domain names the image also where libvirt chose it. */
function firmwareNotes(wild: Wild, own: Reading | undefined): readonly Piece[] {
  const image = isImage(own) ? (own?.child("loader")?.text() ?? "") : "";
  const variables = own?.childText("nvram") ?? "";
  const listed = image === "" || defaultText(wild.arch, "OVMF_UEFIS").split(/\s+/).includes(image);
  return [
    ...(listed ? [] : [note(`the firmware ${JSON.stringify(image)} must be one of OVMF_UEFIS of the driver or the host; FIRMWARE = "UEFI" lets libvirt choose one`)]),
    ...(variables === "" ? [] : [note(`the firmware starts with new variables; those of the domain are in ${JSON.stringify(variables)}`)]),
  ];
}

/** Devices that `<boot dev=…>` names, as libvirt orders them: the first of each kind. */
export function bootDevices({ root }: Wild): readonly string[] {
  return (root.child("os")?.children("boot") ?? []).map((each) => each.attribute("dev") ?? "");
}

/** Whether secure boot is part of the template: then system management mode is too. */
export function isSecure({ root }: Wild): boolean {
  const own = root.child("os");
  return firmware(own).FIRMWARE_SECURE === "YES";
}
