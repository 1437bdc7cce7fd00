import { vectorLine } from "../codec/attribute-text.ts";
import { parseCpuList, parseMeminfo } from "../codec/kernel-text.ts";
import type { Context, Files } from "../core/ports.ts";
import { hugePages, numaNodes, type NumaNode } from "../monitor/numa-nodes.ts";
import type { ProbeRequest } from "./probe.ts";

/** Pages, cores, memory and distances of each NUMA node (monitoring.md 6.4). Nothing on a kernel without NUMA. */
export async function run(_request: ProbeRequest, { files }: Context): Promise<string> {
  const nodes = numaNodes(files);
  return nodes.map((node) => describe(node, nodes, files)).join("");
}

function describe(node: NumaNode, nodes: readonly NumaNode[], files: Files): string {
  const pages = hugePages(node, "nr_hugepages", files).map(({ size, count }) => vectorLine("HUGEPAGE", { NODE_ID: node.id, SIZE: size, PAGES: count }));
  const cores = coresOf(node, files).map(({ id, cpus }) => vectorLine("CORE", { NODE_ID: node.id, ID: id, CPUS: cpus }));
  const memory = parseMeminfo(files.findText(`${node.path}/meminfo`) ?? "").MemTotal;
  return [...pages, ...cores, vectorLine("MEMORY_NODE", { NODE_ID: node.id, TOTAL: memory, DISTANCE: nearestFirst(node, nodes, files) })].join("");
}

/** One for each set of siblings. The kernel writes neighbours as a range, of which oned would read the first number only. */
export function coresOf({ path, cpus }: NumaNode, files: Files): readonly { readonly id: string; readonly cpus: string }[] {
  const cores = cpus.flatMap((cpu) => {
    const topology = `${path}/cpu${cpu}/topology`;
    const [id, siblings] = [files.findText(`${topology}/core_id`)?.trim(), files.findText(`${topology}/thread_siblings_list`)];
    return id === undefined || siblings === undefined ? [] : [{ id, cpus: parseCpuList(siblings).join(",") }]; // a processor that is off line has none
  });
  return [...new Map(cores.map((core) => [core.cpus, core])).values()];
}

/** All nodes, the nearest first, and of those at the same distance the lower number first. */
export function nearestFirst({ path }: NumaNode, nodes: readonly NumaNode[], files: Files): string {
  const distances = (files.findText(`${path}/distance`)?.trim() ?? "").split(/\s+/).filter(Boolean).map(Number);
  return nodes.flatMap(({ id }, index) => (distances[index] === undefined ? [] : [{ id, distance: distances[index] }]))
    .sort((a, b) => a.distance - b.distance || a.id - b.id).map(({ id }) => id).join(" ");
}
