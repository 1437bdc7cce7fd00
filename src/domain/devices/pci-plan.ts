import { type Facts, oncePerFacts, ownFlag } from "../facts.ts";
import type { VectorView } from "../levels.ts";
import { wholeInteger } from "../numbers.ts";
import { byRule, type Count, derived, type Flag, type Value } from "../source.ts";
import { type NumaPlan, planNumaPci } from "./pci-numa-plan.ts";

/** A PCI device of the VM and where OpenNebula wants it. */
export interface PciRequest {
  readonly view: VectorView;
  /** Whether its address on the host is known. */
  readonly complete: boolean;
  readonly dedicated: boolean;
  readonly busIndex: number | undefined;
  /** NUMA node of the host. */
  readonly hostNode: number | undefined;
}

/** How the PCI tree looks: not at all, root ports in a row, or a branch per NUMA node. */
export type PciTree =
  | { readonly kind: "none" }
  | { readonly kind: "flat"; readonly ports: Count; readonly source: Value; readonly switchedOff: Flag | undefined }
  | { readonly kind: "numa"; readonly plan: NumaPlan; readonly source: Value; readonly switchedOn: Flag };

export interface PciPlan {
  readonly requests: readonly PciRequest[];
  readonly tree: PciTree;
}

const DEFAULT_PORTS = 16;

/** A domain has 256 buses. */
const MOST_PORTS = 254;

/** The VM's PCI devices, and the tree they hang in. */
export const planPci = oncePerFacts((facts): PciPlan => {
  const requests = facts.vm.vectors("PCI").map(request);
  return { requests, tree: treeOf(facts, requests) };
});

function request(view: VectorView): PciRequest {
  return {
    view,
    complete: ["DOMAIN", "BUS", "SLOT", "FUNCTION"].every((key) => view.get(key).text !== ""),
    dedicated: view.get("ROOT").text === "dedicated",
    busIndex: wholeInteger(view.get("VM_BUS_INDEX").text),
    hostNode: wholeInteger(view.get("NUMA_NODE").text),
  };
}

function treeOf(facts: Facts, requests: readonly PciRequest[]): PciTree {
  if (!facts.q35like && facts.arch.text !== "aarch64") return { kind: "none" };
  const source = facts.q35like ? facts.machine : facts.arch;
  const switchedOn = facts.inherited.flag("Q35_NUMA_PCIE");
  if (facts.numaNodes.length > 0 && switchedOn.on) return { kind: "numa", plan: planNumaPci(facts.numaNodes, requests), source, switchedOn };
  return { kind: "flat", ports: rootPorts(facts), source, switchedOff: facts.numaNodes.length > 0 ? switchedOn : undefined };
}

function rootPorts({ inherited }: Facts): Count {
  const asked = inherited.integer("Q35_ROOT_PORTS");
  const rule = byRule("", "no usable Q35_ROOT_PORTS: 16");
  if (asked.count <= 0) return { count: DEFAULT_PORTS, exact: BigInt(DEFAULT_PORTS), sources: asked.sources.length > 0 ? asked.sources : rule.sources };
  return { ...asked, count: Math.min(asked.count, MOST_PORTS) };
}

/** Whether the VM itself says which machine it is; OpenNebula freezes that at creation unless its driver type is xml. */
export function hasFrozenMachine({ vm }: Facts): boolean {
  return (vm.vectors("OS")[0]?.get("MACHINE").text ?? "") !== "";
}

/** Text of a flag of a PCI device. */
export function pciFlag(view: VectorView, key: string): Flag {
  return ownFlag(view, key);
}

/** The bus of a device whose i440fx address was given before its machine was known: its own root port. */
export function ownRootPort(view: VectorView): Value {
  const id = view.get("PCI_ID");
  const number = (wholeInteger(id.text) ?? 0) + 1;
  return derived(`0x${number.toString(16).padStart(2, "0")}`, id);
}
