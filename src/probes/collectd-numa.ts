import { vectorLine } from "../codec/attribute-text.ts";
import { parseMeminfo } from "../codec/kernel-text.ts";
import { isBefore } from "../core/generation.ts";
import type { Context, Files } from "../core/ports.ts";
import { hugePages, numaNodes, type NumaNode } from "../monitor/numa-nodes.ts";
import { coresOf, nearestFirst } from "./numa-topology.ts";
import type { ProbeRequest } from "./probe.ts";

/** NUMA nodes as 5.10 takes them, what they have and what of it is free in one (monitoring.md 11.1). Nothing before, and nothing on a kernel without NUMA. */
export async function run(_request: ProbeRequest, { files, generation }: Context): Promise<string> {
  if (isBefore(generation.version, 5, 10)) return "";
  const nodes = numaNodes(files);
  return nodes.map((node) => describe(node, nodes, files)).join("");
}

function describe(node: NumaNode, nodes: readonly NumaNode[], files: Files): string {
  const free = new Map(hugePages(node, "free_hugepages", files).map(({ size, count }) => [size, count]));
  const pages = hugePages(node, "nr_hugepages", files).map(({ size, count }) => vectorLine("HUGEPAGE", { NODE_ID: node.id, SIZE: size, PAGES: count, FREE: free.get(size) ?? 0 }));
  const cores = coresOf(node, files).map(({ id, cpus }) => vectorLine("CORE", { NODE_ID: node.id, ID: id, CPUS: cpus }));
  const { MemTotal = 0, MemFree = 0, MemUsed = 0 } = parseMeminfo(files.findText(`${node.path}/meminfo`) ?? "");
  return [...pages, ...cores, vectorLine("MEMORY_NODE", { NODE_ID: node.id, TOTAL: MemTotal, FREE: MemFree, USED: MemUsed, DISTANCE: nearestFirst(node, nodes, files) })].join("");
}
