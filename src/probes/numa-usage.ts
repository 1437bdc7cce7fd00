import { vectorLine } from "../codec/attribute-text.ts";
import { parseMeminfo } from "../codec/kernel-text.ts";
import type { Context } from "../core/ports.ts";
import { hugePages, numaNodes } from "../monitor/numa-nodes.ts";
import type { ProbeRequest } from "./probe.ts";

/** Free pages and memory of each NUMA node (monitoring.md 6.2). */
export async function run(_request: ProbeRequest, { files }: Context): Promise<string> {
  return numaNodes(files).flatMap((node) => {
    const { MemTotal, MemFree, MemUsed = MemTotal !== undefined && MemFree !== undefined ? MemTotal - MemFree : undefined } = parseMeminfo(files.findText(`${node.path}/meminfo`) ?? "");
    const pages = hugePages(node, "free_hugepages", files).map(({ size, count }) => vectorLine("HUGEPAGE", { NODE_ID: node.id, SIZE: size, FREE: count }));
    return [...pages, ...(MemFree === undefined && MemUsed === undefined ? [] : [vectorLine("MEMORY_NODE", { NODE_ID: node.id, FREE: MemFree, USED: MemUsed })])];
  }).join("");
}
