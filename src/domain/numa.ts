import { OnevirtError } from "../core/errors.ts";
import type { Level, VectorView } from "./levels.ts";
import { readInteger, UINT32, wholeInteger } from "./numbers.ts";
import type { Count, Value } from "./source.ts";

/** A NUMA node of the VM, in the order of its document. */
export interface NumaNode {
  /** Number of the cell in the guest. */
  readonly cell: number;
  readonly view: VectorView;
  readonly totalCpus: Count;
  /** Processors of the host. */
  readonly cpus: Value;
  /** KiB, as text. */
  readonly memory: Value;
  /** NUMA node of the host, when one was chosen. */
  readonly hostNode: number | undefined;
  /** Processors of the guest in the nodes before this one, and what their number depends on. */
  readonly firstVcpu: number;
  readonly before: readonly Count[];
}

/** More processors in a node than any machine has: somebody's mistake, or an attempt to exhaust the memory. */
const MOST_CPUS = 65_536;

/** The VM's NUMA nodes. */
export function numaNodes(vm: Level): readonly NumaNode[] {
  const nodes: NumaNode[] = [];
  let firstVcpu = 0;
  for (const [cell, view] of vm.vectors("NUMA_NODE").entries()) {
    const totalCpus = countOf(view, "TOTAL_CPUS");
    if (totalCpus.count > MOST_CPUS) throw new OnevirtError("BAD_INPUT", `Cannot use NUMA_NODE/TOTAL_CPUS "${totalCpus.count}": more than ${MOST_CPUS}`);
    const before = nodes.map((each) => each.totalCpus);
    nodes.push({ cell, view, totalCpus, firstVcpu, before, cpus: view.get("CPUS"), memory: view.get("MEMORY"), hostNode: wholeInteger(view.get("NODE_ID").text) });
    firstVcpu += totalCpus.count;
  }
  return nodes;
}

/** Whether the node has processors and memory; a node without is only a place holder. */
export function isFilled(node: NumaNode): boolean {
  return node.totalCpus.count > 0 && readInteger(node.memory.text, UINT32).value > 0n;
}

/** An unsigned number of a vector; 0 when absent or malformed. */
export function countOf(view: VectorView, key: string): Count {
  const value = view.get(key);
  const read = readInteger(value.text, UINT32);
  const exact = read.whole ? read.value : 0n;
  return { count: Number(exact), exact, sources: value.sources };
}
