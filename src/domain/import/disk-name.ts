import { elementsOf } from "../rewrite.ts";
import type { Wild } from "./piece.ts";
import type { Reading } from "./reading.ts";

type Machine = Pick<Wild, "q35like" | "devices">;

/** Buses of the disks, optical ones apart, whose target has this prefix. `-` stands for no bus. */
export function withPrefix({ devices }: Machine, prefix: string): ReadonlySet<string> {
  const disks = elementsOf(devices?.element ?? { name: "", attributes: {}, children: [] }).filter(({ name, attributes }) => name === "disk" && attributes["device"] !== "cdrom");
  const targets = disks.flatMap((disk) => elementsOf(disk).filter(({ name }) => name === "target"));
  return new Set(targets.filter(({ attributes }) => attributes["dev"]?.startsWith(prefix)).map(({ attributes }) => attributes["bus"] ?? "-"));
}

/** Prefix of the target with which OpenNebula puts a disk on this bus. */
export function prefixFor(wild: Machine, bus: string | undefined, target: string): string {
  const sata = withPrefix(wild, "sd").has("sata");
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
  return withPrefix(wild, "sd").has("sata") ? "sata" : "scsi";
}

/** Names of targets that are in use. */
export function targetsOf(devices: Reading | undefined): readonly string[] {
  const disks = elementsOf(devices?.element ?? { name: "", attributes: {}, children: [] }).filter(({ name }) => name === "disk");
  return disks.flatMap((disk) => elementsOf(disk).find(({ name }) => name === "target")?.attributes["dev"] ?? []);
}
