import { find } from "./numa.ts";
import { hasOnly, lineOf } from "./raw-text.ts";
import { note, type Piece, raw, type RawPiece, type Wild } from "./piece.ts";
import type { Reading, Unread } from "./reading.ts";

/** Sections of the domain that stand for themselves: in RAW they mean the same. */
const SECTIONS = ["sysinfo", "blkiotune", "perf", "genid", "idmap", "keywrap", "on_lockfailure", "throttlegroups", "qemu:commandline", "qemu:capabilities", "qemu:override"];

/** Devices that OpenNebula does not know, and libvirt does not add by itself. */
const DEVICES = ["watchdog", "rng", "sound", "serial", "parallel", "channel", "redirdev", "redirfilter", "smartcard", "hub", "panic", "shmem", "vsock", "audio", "memballoon", "nvram", "crypto", "pstore"];

/** What the template has no attribute for: as RAW where RAW expresses it, otherwise said. */
export function leftovers({ root, devices }: Wild): readonly Piece[] {
  const sections = root.all().filter((each) => SECTIONS.includes(each.name) && !each.isTaken);
  const others = (devices?.all() ?? []).filter((each) => !each.isTaken).flatMap(device);
  const labels = root.children("seclabel").flatMap(securityLabel);
  return [...sections.map((each) => raw("domain", each)), ...labels, ...others];
}

function device(own: Reading): readonly Piece[] {
  if (isImplied(own)) own.finish();
  if (own.isTaken) return [];
  if (own.name === "controller") return controller(own);
  if (own.name === "memory") return (own.finish(), [note(`a memory module (${own.element.attributes["model"] ?? ""}) is plugged in: MEMORY has it from the start`)]);
  return DEVICES.includes(own.name) ? [raw("devices", own)] : [];
}

/** libvirt gives a domain these whether it asks or not. */
function isImplied({ name, element }: Reading): boolean {
  const { attributes } = element;
  if (name === "memballoon") return attributes["model"] === "virtio" && hasOnly(element, ["model"]);
  if (name === "audio") return attributes["type"] === "none" || attributes["type"] === "spice";
  if (name === "console") return find(element, "target")[0]?.attributes["type"] === "serial";
  return false;
}

/** Controllers follow from the devices. Only kinds that libvirt would not choose by itself are kept. */
function controller(own: Reading): readonly Piece[] {
  const { type = "", model, index } = own.element.attributes;
  const usual = ["pci", "ide", "sata", "fdc", "virtio-serial"].includes(type) || (type === "usb" && [undefined, "piix3-uhci", "qemu-xhci"].includes(model));
  const ours = type === "scsi" && index === "0";
  if (ours && model !== "virtio-scsi") return (own.finish(), [note(`the SCSI controller ${model ?? ""} becomes virtio-scsi`)]);
  if (!usual && !ours) return [raw("devices", own)];
  own.finish();
  return [];
}

function securityLabel(own: Reading): readonly (Piece | RawPiece)[] {
  if (own.element.attributes["type"] !== "dynamic") return [raw("domain", own)];
  own.finish();
  return [];
}

/** Parts that libvirt gives a running domain, or that say nothing beyond what has been read. */
const SILENT: readonly RegExp[] = [
  /\/alias(\/|$)/, /\/devices\/[^/]+\/address(\/|$)/, /\/backingStore(\/|$)/, /\/source\/@(index|portid|startupPolicy)$/, /\/(source|disk)(\[\d+\])?\/(seclabel|privateData|mirror)(\/|$)/,
  /\/target\/@state$/, /^\/domain\/devices\/hostdev(\[\d+\])?\/driver\/@name$/, /\/graphics(\[\d+\])?\/@(autoport|passwd)$/, /\/loader\/@type$/, /^\/domain\/devices\/disk(\[\d+\])?\/readonly$/,
];

/** Says what no other part has looked at. */
export function unreadNotes(root: Reading): readonly Piece[] {
  return root.unread().filter(({ path }) => !SILENT.some((each) => each.test(path))).map((each) => note(`not in the template: ${described(each)}`));
}

function described({ path, what }: Unread): string {
  return `${path}: ${typeof what === "string" ? JSON.stringify(what) : lineOf(what)}`;
}
