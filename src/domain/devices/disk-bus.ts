import type { Facts } from "../facts.ts";
import { derived, type Value } from "../source.ts";

const CDROMS = ["CDROM", "BLOCK_CDROM", "RBD_CDROM", "SHEEPDOG_CDROM", "GLUSTER_CDROM"];

/** Whether a disk of this type is an optical drive. */
export function isCdrom(type: string): boolean {
  return CDROMS.includes(type);
}

/** The bus of a disk, by its type and the first letter of its target. Empty: libvirt chooses SCSI for `sd` names. */
export function busOf(facts: Pick<Facts, "q35like" | "machine" | "sdDiskBus">, cdrom: boolean, type: Value, target: Value): Value {
  if (cdrom) return derived(facts.q35like ? "sata" : "ide", type, facts.machine);
  if (target.text.startsWith("s")) return derived(facts.sdDiskBus.text, target, facts.sdDiskBus);
  if (target.text.startsWith("v")) return derived("virtio", target);
  return derived(facts.q35like ? "sata" : "ide", target, facts.machine);
}

/** The number in an `sd` name: sda 0, sdz 25, sdaa 26; negative without letters. */
export function sdNumber(target: string): number {
  return [...target.slice(2)].reduce((number, letter) => number * 26 + (letter.charCodeAt(0) - 96), 0) - 1;
}
