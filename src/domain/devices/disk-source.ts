import { type DomainNode, element } from "../element.ts";
import { cannot, type Facts } from "../facts.ts";
import { derived, sourcesOf, type Value } from "../source.ts";
import type { Disk } from "./disk-plan.ts";
import { networkVolume, type VolumeProtocol } from "./network-volume.ts";

/** The opening of a disk: its kind, its device, and where its data is. */
export interface DiskSource {
  readonly type: Value;
  readonly device: Value;
  readonly nodes: readonly DomainNode[];
}

type Describe = (facts: Facts, disk: Disk) => { readonly type: string; readonly device: "disk" | "cdrom"; readonly nodes: readonly DomainNode[] };

/** Data by type, as OpenNebula writes it; anything unknown is a file in the VM's directory. */
export function sourceOf(facts: Facts, disk: Disk): DiskSource {
  const { type, device, nodes } = describe(disk)(facts, disk);
  const diskType = disk.view.get("DISK_TYPE");
  const because = derived("", disk.type, ["CDROM", "RBD"].includes(disk.type.text) || type === "network" ? diskType : undefined);
  const dependent = nodes.map((node) => (node.kind === "element" ? { ...node, sources: sourcesOf(node, because) } : node));
  return { type: derived(type, because), device: derived(device, because), nodes: dependent };
}

function describe({ type, view }: Disk): Describe {
  const known = KINDS[type.text];
  if (known && BEFORE_RBD.includes(type.text)) return known;
  if (view.get("DISK_TYPE").text === "RBD") return rbd;
  return known ?? file;
}

const block: Describe = (facts, disk) => ({ type: "block", device: disk.cdrom ? "cdrom" : "disk", nodes: [local("dev", facts, disk)] });

const file: Describe = (facts, disk) => ({ type: "file", device: "disk", nodes: [local("file", facts, disk)] });

const cdrom: Describe = (facts, disk) => {
  const isBlock = disk.view.get("DISK_TYPE").text === "BLOCK";
  return { type: isBlock ? "block" : "file", device: "cdrom", nodes: [local(isBlock ? "dev" : "file", facts, disk)] };
};

const network = (protocol: VolumeProtocol, isCdrom = ({ cdrom }: Disk) => cdrom): Describe => (facts, disk) => ({
  type: "network", device: isCdrom(disk) ? "cdrom" : "disk",
  nodes: networkVolume(protocol, { view: disk.view, vm: facts.id, id: disk.id, usualPorts: true, refuse: (reason) => cannot(facts.input, reason) }),
});

/** Compat: a CD-ROM that DISK_TYPE makes an RBD disk is written as a disk. */
const rbd = network("rbd", ({ type }) => type.text === "RBD_CDROM");

const KINDS: Readonly<Record<string, Describe>> = {
  BLOCK: block, BLOCK_CDROM: block, ISCSI: network("iscsi"), RBD: rbd, RBD_CDROM: rbd, SHEEPDOG: network("sheepdog"),
  SHEEPDOG_CDROM: network("sheepdog"), GLUSTER: network("gluster"), GLUSTER_CDROM: network("gluster"), CDROM: cdrom,
};

/** Compat: DISK_TYPE RBD makes anything an RBD disk, except these types. */
const BEFORE_RBD = ["BLOCK", "BLOCK_CDROM", "ISCSI"];

function local(attribute: "file" | "dev", { systemDirectory }: Facts, { id }: Disk): DomainNode {
  return element("source", { [attribute]: derived(`${systemDirectory.text}/disk.${id.text}`, systemDirectory, id) }, undefined, { rule: "the disk is disk.ID in the VM's directory" });
}
