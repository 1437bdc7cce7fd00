import { type DomainNode, element } from "../element.ts";
import { cannot, type Facts } from "../facts.ts";
import { derived, orElse, sourcesOf, type Value } from "../source.ts";
import type { Disk } from "./disk-plan.ts";
import { authentication, networkSource } from "./network-source.ts";

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

const iscsi: Describe = (_facts, { view }) => {
  const name = orElse(view.get("ISCSI_IQN"), view.get("SOURCE"));
  return { type: "network", device: "disk", nodes: [
    networkSource("iscsi", name, view.get("ISCSI_HOST"), { port: "3260" }),
    ...authentication("iscsi", view.get("ISCSI_USER"), "usage", view.get("ISCSI_USAGE")),
  ] };
};

/** A copy has VM and disk in its name; a disk without source is volatile, in the pool of the system datastore. */
const rbd: Describe = (facts, { view, type, id }) => {
  const source = view.get("SOURCE");
  const pool = view.get("POOL_NAME");
  const volatile = source.text === "";
  const base = volatile ? derived(`${pool.text || "one"}/one-sys`, pool) : source;
  const copy = volatile || view.get("CLONE").text === "YES";
  const name = copy ? derived(`${base.text}-${facts.id.text}-${id.text}`, base, view.get("CLONE"), facts.id, id) : base;
  return { type: "network", device: type.text === "RBD_CDROM" ? "cdrom" : "disk", nodes: [
    networkSource("rbd", name, view.get("CEPH_HOST"), { port: "6789" }),
    ...authentication("ceph", view.get("CEPH_USER"), "uuid", view.get("CEPH_SECRET")),
  ] };
};

const sheepdog: Describe = (facts, { view, id, cdrom }) => {
  const source = view.get("SOURCE");
  const name = view.get("CLONE").text === "YES" ? derived(`${source.text}-${facts.id.text}-${id.text}`, source, view.get("CLONE"), facts.id, id) : source;
  return { type: "network", device: cdrom ? "cdrom" : "disk", nodes: [networkSource("sheepdog", name, view.get("SHEEPDOG_HOST"), { transport: "tcp" })] };
};

const gluster: Describe = (facts, { view, id, cdrom }) => {
  const clone = view.get("CLONE");
  const source = view.get("SOURCE");
  const last = source.text.split("/").filter((piece) => piece !== "").at(-1);
  if (clone.text !== "YES" && last === undefined) throw cannot(facts.input, `SOURCE of GLUSTER disk ${id.text} is empty`);
  const tail = clone.text === "YES" ? derived(`${facts.id.text}/disk.${id.text}`, clone, facts.id, id) : derived(last ?? "", source);
  const volume = view.get("GLUSTER_VOLUME");
  return { type: "network", device: cdrom ? "cdrom" : "disk", nodes: [
    networkSource("gluster", derived(`${volume.text}/${tail.text}`, volume, tail), view.get("GLUSTER_HOST"), { port: "24007", transport: "tcp" }),
  ] };
};

const KINDS: Readonly<Record<string, Describe>> = {
  BLOCK: block, BLOCK_CDROM: block, ISCSI: iscsi, RBD: rbd, RBD_CDROM: rbd,
  SHEEPDOG: sheepdog, SHEEPDOG_CDROM: sheepdog, GLUSTER: gluster, GLUSTER_CDROM: gluster, CDROM: cdrom,
};

/** Compat: DISK_TYPE RBD makes anything an RBD disk, except these types. */
const BEFORE_RBD = ["BLOCK", "BLOCK_CDROM", "ISCSI"];

function local(attribute: "file" | "dev", { systemDirectory }: Facts, { id }: Disk): DomainNode {
  return element("source", { [attribute]: derived(`${systemDirectory.text}/disk.${id.text}`, systemDirectory, id) }, undefined, { rule: "the disk is disk.ID in the VM's directory" });
}
