import { type DomainNode, element, filled, type Part, warning } from "../element.ts";
import type { Facts } from "../facts.ts";
import type { NumaNode } from "../numa.ts";
import { saturated, UINT32 } from "../numbers.ts";
import { derived, NOTHING, type Value } from "../source.ts";

/** `<numa>` with a cell per NUMA_NODE. */
export function cells(facts: Facts): { readonly nodes: readonly DomainNode[]; readonly warnings: readonly Part[] } {
  const { numaNodes } = facts;
  if (numaNodes.length === 0) return { nodes: [], warnings: [] };
  const access = memoryAccess(facts);
  const list = numaNodes.map((node) => cell(node, access.value, numaNodes.length));
  return { nodes: [element("numa", {}, list, { because: numaNodes.map(({ view }) => view.presence), rule: "a cell for each NUMA_NODE" })], warnings: access.warnings };
}

/** `<numatune>`: the nodes of the host whose memory the cells use. */
export function numatune({ numaNodes }: Facts): readonly Part[] {
  if (numaNodes.length === 0) return [];
  const placed = numaNodes.map(({ cell, view }) => ({ cell, nodeset: view.get("MEMORY_NODE_ID") })).filter(({ nodeset }) => nodeset.text !== "");
  const nodesets = placed.map(({ nodeset }) => nodeset);
  const all = derived(nodesets.map(({ text }) => text).join(","), ...nodesets);
  return [element("numatune", {}, [
    ...placed.map(({ cell, nodeset }) => element("memnode", { cellid: cell, mode: "strict", nodeset }, undefined, { because: [nodeset] })),
    ...(placed.length > 0 ? [element("memory", { mode: "strict", nodeset: all }, undefined, { because: nodesets })] : []),
  ], { because: numaNodes.map(({ view }) => view.presence), rule: "each cell takes its memory from MEMORY_NODE_ID of the host" })];
}

/** libvirt knows private and shared; anything else is left out. */
function memoryAccess({ topology }: Facts): { readonly value: Value; readonly warnings: readonly Part[] } {
  const asked = topology?.get("MEMORY_ACCESS") ?? NOTHING;
  const text = asked.text.toLowerCase();
  if (["", "private", "shared"].includes(text)) return { value: { ...asked, text }, warnings: [] };
  return { value: NOTHING, warnings: [warning(`MEMORY_ACCESS "${asked.text}" is neither private nor shared, ignored.`)] };
}

function cell(node: NumaNode, access: Value, count: number): DomainNode {
  const { cell: id, totalCpus, firstVcpu, before, view } = node;
  const cpus = totalCpus.count > 0 ? derived(`${firstVcpu}-${firstVcpu + totalCpus.count - 1}`, ...before, totalCpus) : undefined;
  const attributes = { id, memory: node.memory, cpus, memAccess: filled(access) };
  const options = { because: [view.presence], rule: "NUMA_NODE: its memory in KiB and its processors" };
  const distance = view.get("DISTANCE");
  return distance.text === "" ? element("cell", attributes, undefined, options) : element("cell", attributes, [distances(distance, id, count)], options);
}

function distances(distance: Value, self: number, count: number): DomainNode {
  const siblings = distanceTable(distance.text, self, count).map((value, id) => element("sibling", { id, value: derived(value, distance) }));
  return element("distances", {}, siblings, { because: [distance], rule: "DISTANCE: 10 to itself and 20 to others unless given" });
}

/** `ids:value,…` with ids a number or a range in either direction; later entries win, entries beyond the last node are dropped. */
function distanceTable(text: string, self: number, count: number): readonly bigint[] {
  const table = Array.from({ length: count }, (_, id): bigint => (id === self ? 10n : 20n));
  for (const [ids = "", value = ""] of text.split(",").filter((each) => each !== "").map((each) => each.split(":").filter((piece) => piece !== ""))) {
    if (value === "") continue;
    const [a = 0n, b = a] = ids.split("-").filter((each) => each !== "").map((each) => saturated(each.trim(), UINT32));
    for (let id = a < b ? a : b; id <= (a < b ? b : a) && id < count; id += 1n) table[Number(id)] = saturated(value.trim(), UINT32);
  }
  return table;
}
