import type { XmlElement } from "../../codec/xml.ts";
import { find } from "./numa.ts";
import type { Wild } from "./piece.ts";
import type { Reading } from "./reading.ts";

type Machine = Pick<Wild, "q35like" | "sdBuses">;

/** Buses of the disks, optical ones apart, whose target begins with sd. `-` stands for no bus. */
export function sdBusesOf(root: XmlElement): ReadonlySet<string> {
  const disks = find(root, "devices", "disk").filter(({ attributes }) => attributes["device"] !== "cdrom");
  const targets = disks.flatMap((disk) => find(disk, "target"));
  return new Set(targets.filter(({ attributes }) => attributes["dev"]?.startsWith("sd")).map(({ attributes }) => attributes["bus"] ?? "-"));
}

/** Prefix of the target with which OpenNebula puts a disk on this bus. */
export function prefixFor(wild: Machine, bus: string | undefined, target: string): string {
  const sata = wild.sdBuses.has("sata");
  if (bus === undefined) return target.slice(0, 2);
  if (bus === "virtio") return "vd";
  if (bus === "scsi") return "sd";
  if (bus === "sata" || bus === "ide") return sata && target.startsWith("sd") ? "sd" : "hd";
  return "sd";
}

/** Bus of a target, as the generator works it out. */
export function busOfTarget(wild: Machine, cdrom: boolean, target: string): string {
  const local = wild.q35like ? "sata" : "ide";
  if (cdrom) return local;
  if (target.startsWith("v")) return "virtio";
  if (!target.startsWith("s")) return local;
  return wild.sdBuses.has("sata") ? "sata" : "scsi";
}

/** Names of targets that are in use. */
export function targetsOf(devices: Reading | undefined): readonly string[] {
  return devices ? find(devices.element, "disk", "target").flatMap(({ attributes }) => attributes["dev"] ?? []) : [];
}
