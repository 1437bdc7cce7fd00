import { type DomainNode, element, type Part, textElement, warning } from "../element.ts";
import type { Contributor, Facts } from "../facts.ts";
import { UINT64 } from "../numbers.ts";
import { derived, type Sourced, type Value } from "../source.ts";
import { iommuOptions, virtioWarning } from "./iommu.ts";
import type { Block, Dedicated } from "./pci-numa-plan.ts";
import { pciFlag, type PciTree, planPci } from "./pci-plan.ts";

/** The PCI Express controllers, so that devices plugged in later find a port, and devices of a node stay on it. */
export const pciControllers: Contributor = (facts) => {
  const { tree } = planPci(facts);
  if (tree.kind === "none") return [];
  const nodes = [root(facts, tree.source), ...(tree.kind === "flat" ? flat(tree) : numa(facts, tree))];
  return [...nodes, ...portsWarning(facts, tree), ...iommuWarning(facts, tree)];
};

/** `<tpm>`: an emulated TPM 2.0 of the model asked for. */
export const tpm: Contributor = ({ all }) => {
  const model = all.keyText("TPM", "MODEL");
  if (model.text === "") return [];
  return [element("tpm", { model }, [element("backend", { type: "emulator", version: "2.0" })], { because: [model], rule: "TPM/MODEL: an emulated TPM 2.0" })];
};

function root({ all }: Facts, source: Value): DomainNode {
  const hole = all.keyInteger("FEATURES", "PCIHOLE64", UINT64);
  const size = derived(hole.exact, hole);
  const children = hole.exact > 0n ? [textElement("pcihole64", size, { rule: "FEATURES/PCIHOLE64" }, { unit: "KiB" })] : undefined;
  return element("controller", { index: "0", type: "pci", model: "pcie-root" }, children, { because: [source], rule: "a q35 or virt machine is PCI Express" });
}

function flat({ ports, source, switchedOff }: PciTree & { readonly kind: "flat" }): readonly DomainNode[] {
  const rule = "Q35_ROOT_PORTS root ports, and a bridge for conventional devices";
  const port = (_: unknown, position: number) => controller(position + 1, "pcie-root-port", undefined, [source, ports, switchedOff], rule);
  return [...Array.from({ length: ports.count }, port), controller(derived(ports.count + 1, ports), "pcie-to-pci-bridge", undefined, [source, ports, switchedOff], rule)];
}

function numa(facts: Facts, { plan, source, switchedOn }: PciTree & { readonly kind: "numa" }): readonly DomainNode[] {
  const because = [source, switchedOn];
  const rule = "Q35_NUMA_PCIE: a branch with eight root ports for each NUMA cell";
  const extra = "a device that belongs to no node gets a root port of its own";
  return [
    controller(1, "pcie-root-port", undefined, because, rule),
    controller(2, "pcie-to-pci-bridge", undefined, because, rule),
    ...plan.blocks.flatMap((each) => branch(facts, each, plan.byHostNode, because, rule)),
    ...plan.dedicated.flatMap((each, position) => dedicatedBranch(facts, each, position, because)),
    ...plan.extraPorts.map((index) => controller(index, "pcie-root-port", undefined, because, extra)),
  ];
}

function branch(facts: Facts, { slot, cell, expander, ports, homeless, displacedBy }: Block, byHostNode: boolean, because: readonly Sourced[], rule: string): readonly DomainNode[] {
  const node = facts.numaNodes.find((each) => each.cell === cell);
  const why = [...because, node?.totalCpus, node?.memory, byHostNode ? node?.view.get("NODE_ID") : undefined, ...displacedBy, ...homeless.flatMap(({ view }) => [view.get("VM_BUS_INDEX"), view.get("ROOT")])];
  const place = (number: number | string) => (byHostNode ? derived(number, node?.view.get("NODE_ID")) : derived(number));
  const bound = node && place(node.cell);
  const port = (index: number, position: number) =>
    controller(place(index), "pcie-root-port", [element("address", { type: "pci", bus: place(expander), slot: "0", function: position, multifunction: position === 0 ? "on" : undefined })], why, rule);
  return [controller(place(expander), "pcie-expander-bus", [target(place(busNumber(0x20 + 0x10 * slot)), bound)], why, rule), ...ports.map(port)];
}

function dedicatedBranch(facts: Facts, { request, cell, port }: Dedicated, position: number, because: readonly Sourced[]): readonly DomainNode[] {
  const rule = "ROOT=dedicated: an expander and a root port for this device alone";
  const why = [...because, request.view.get("ROOT")];
  const bound = cell === undefined ? undefined : derived(cell, request.view.get("NUMA_NODE"), facts.numaNodes.find((each) => each.cell === cell)?.view.get("NODE_ID"));
  const index = request.view.get("VM_BUS_INDEX");
  const address = element("address", { type: "pci", bus: derived(port - 1, index), slot: "0", function: "0x0" });
  return [
    controller(derived(port - 1, index), "pcie-expander-bus", [target(derived(busNumber(0xa0 + 8 * position)), bound)], why, rule),
    controller(derived(port, index), "pcie-root-port", [address], why, rule),
    ...deviceIommu(facts, request.view, derived(port - 1, index), why),
  ];
}

function deviceIommu({ vm }: Facts, device: Dedicated["request"]["view"], pciBus: Value, why: readonly (Sourced | undefined)[]): readonly DomainNode[] {
  const own = vm.vectors("IOMMU")[0];
  const wanted = pciFlag(device, "IOMMU");
  if (!wanted.on || own?.get("MODE").text !== "device") return [];
  const driver = element("driver", { pciBus, ...iommuOptions(own.get("OPTIONS")) }, undefined, { rule: "IOMMU/OPTIONS" });
  return [element("iommu", { model: own.get("MODEL") }, [driver], { because: [wanted, own.get("MODE"), ...why], rule: "IOMMU in mode device: one for each device that asks for it" })];
}

function busNumber(number: number): string {
  return `0x${number.toString(16).padStart(2, "0")}`;
}

function target(busNr: Value, node: Value | undefined): DomainNode {
  return element("target", { busNr }, node && [textElement("node", node, { rule: "the cell that lives on this node of the host" })]);
}

function controller(index: Value | number, model: string, nodes: readonly DomainNode[] | undefined, because: readonly (Sourced | undefined)[], rule: string): DomainNode {
  return element("controller", { type: "pci", index, model }, nodes, { because, rule });
}

function portsWarning({ inherited }: Facts, tree: PciTree): readonly Part[] {
  const asked = inherited.integer("Q35_ROOT_PORTS");
  return tree.kind === "flat" && asked.count < 0 ? [warning(`Q35_ROOT_PORTS ${asked.count} is negative: 16 root ports instead.`)] : [];
}

function iommuWarning({ vm }: Facts, tree: PciTree): readonly Part[] {
  const own = vm.vectors("IOMMU")[0];
  const written = tree.kind === "numa" && tree.plan.dedicated.some(({ request }) => pciFlag(request.view, "IOMMU").on);
  return written && own?.get("MODE").text === "device" ? virtioWarning(own.get("MODEL"), iommuOptions(own.get("OPTIONS"))) : [];
}

