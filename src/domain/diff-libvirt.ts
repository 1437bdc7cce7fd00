import type { XmlElement } from "../codec/xml.ts";

/** KiB per unit of libvirt (scaled integers). */
const KIB: Readonly<Record<string, number>> = { b: 1 / 1024, bytes: 1 / 1024, KB: 1000 / 1024, k: 1, KiB: 1, MB: 1e6 / 1024, M: 1024, MiB: 1024, GB: 1e9 / 1024, G: 1048576, GiB: 1048576, T: 1073741824, TiB: 1073741824 };

/** Values in KiB unless the element names another unit. */
const SIZES = ["memory", "currentMemory", "maxMemory", "hard_limit", "pcihole64", "page"];

/** Short names of machines stand for the newest of their kind. */
const MACHINES: Readonly<Record<string, RegExp>> = { q35: /^pc-q35-/, pc: /^pc-i440fx-/, virt: /^virt-/ };

/** Whether two values of an attribute (or, without name, of an element) mean the same to libvirt. */
export function sameValue(path: string, attribute: string, a: string, b: string, left: XmlElement, right: XmlElement, completed: "a" | "b" | undefined): boolean {
  if (a === b) return true;
  if (isSize(left, attribute)) return kibOf(a, left) === kibOf(b, right);
  if (/\/(address|target)$/.test(path) && isNumber(a) && isNumber(b)) return Number(a) === Number(b);
  if (completed && attribute === "machine") return Boolean((completed === "a" ? MACHINES[b] : MACHINES[a])?.test(completed === "a" ? a : b));
  return completed !== undefined && attribute === "port" && (completed === "a" ? b : a) === "-1";
}

/** Whether something that only one side has is there because libvirt completed that side, or hides it. Elements have no value here. */
export function isAddition(completed: "a" | "b" | undefined, side: "a" | "b", path: string, name: string, value?: string): boolean {
  if (!completed) return false;
  if (side !== completed) return value !== undefined && (HIDDEN.includes(name) || DEFAULTS[name] === value);
  return !(value === undefined && path === "/domain/devices" && DEVICES.includes(name));
}

/** Devices that libvirt never adds by itself: somebody plugged them in. */
const DEVICES = ["disk", "interface", "hostdev", "filesystem", "graphics", "tpm", "sound", "redirdev", "rng", "shmem", "iommu", "vsock", "smartcard", "hub"];

/** Values that libvirt leaves out because they change nothing. */
const DEFAULTS: Readonly<Record<string, string>> = { queues: "1" };

/** What libvirt leaves out of a document for people. */
const HIDDEN = ["passwd"];

function isSize({ name }: XmlElement, attribute: string): boolean {
  if (attribute === "") return SIZES.includes(name);
  return (name === "cell" && attribute === "memory") || (name === "page" && attribute === "size");
}

/** A size in KiB; elements of libvirt may name another unit. */
export function kibOf(value: string, { attributes }: XmlElement): number {
  return Number(value) * (KIB[attributes["unit"] ?? "KiB"] ?? 1);
}

function isNumber(text: string): boolean {
  return /^(0x[0-9a-f]+|\d+)$/i.test(text);
}
