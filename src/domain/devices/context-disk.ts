import { element, filled, type Part, warning } from "../element.ts";
import type { Contributor, Facts } from "../facts.ts";
import { derived, type Value } from "../source.ts";
import { busOf } from "./disk-bus.ts";

/** The disk with the context: an optical drive without address, never cached, a block device where the system datastore says so. */
export const contextDisk: Contributor = (facts) => {
  const view = facts.vm.vectors("CONTEXT")[0];
  if (!view) return [];
  const target = view.get("TARGET");
  if (target.text === "") return [warning("Could not find target device to attach context, will continue without it.")];
  const { systemDirectory, input: { contextDiskType } } = facts;
  const block = contextDiskType.text === "BLOCK";
  const id = view.get("DISK_ID");
  const path = derived(`${systemDirectory.text}/disk.${id.text}`, systemDirectory, id);
  const children = [
    element("source", block ? { dev: path } : { file: path }, undefined, { because: [contextDiskType], rule: "the context is disk.ID in the VM's directory" }),
    element("target", { dev: target, bus: filled(busOf(facts, true, target, target)) }),
    element("readonly"),
    element("driver", { name: "qemu", type: "raw", cache: "none" }),
  ];
  const disk = element("disk", { type: derived(block ? "block" : "file", contextDiskType), device: "cdrom" }, children, { because: [target], rule: "CONTEXT is a read-only optical drive" });
  return [disk, ...samePlace(facts, target)];
};

/** Without addresses, libvirt places SATA disks by the letters of their names: hda and sda are then the same place. */
function samePlace(facts: Facts, target: Value): readonly Part[] {
  if (!facts.q35like) return [];
  const taken = facts.vm.vectors("DISK").map((disk) => disk.get("TARGET").text).find((other) => other.startsWith("hd") && other.slice(2) === target.text.slice(2));
  return taken === undefined ? [] : [warning(`libvirt refuses ${taken} beside the context's ${target.text} on SATA: give the disk the prefix vd or sd.`)];
}
