import { type DomainNode, element, type Part, warning } from "../element.ts";
import { type Contributor, type Facts, ownFlag } from "../facts.ts";
import type { VectorView } from "../levels.ts";
import { byRule, derived, isFound, type Value } from "../source.ts";
import { hasFrozenMachine, ownRootPort, type PciPlan, type PciRequest, planPci } from "./pci-plan.ts";

/** A `<hostdev>` per PCI device, network devices included. */
export const hostDevices: Contributor = (facts) => {
  const plan = planPci(facts);
  return plan.requests.flatMap((request) => (request.complete ? hostDevice(facts, plan, request) : [INCOMPLETE]));
};

const INCOMPLETE = warning("DOMAIN, BUS, SLOT and FUNC must be defined for PCI passthrough. Ignored.");

function hostDevice(facts: Facts, plan: PciPlan, request: PciRequest): readonly Part[] {
  const { view } = request;
  const { attributes, source } = origin(view);
  const nodes = view.get("ACPI_NODES");
  const iommufd = ownFlag(view, "IOMMUFD");
  const place = guestAddress(facts, plan, request);
  const children: readonly DomainNode[] = [
    element("source", {}, [source]),
    ...(iommufd.on ? [element("driver", { iommufd: "yes" }, undefined, { because: [iommufd], rule: "IOMMUFD=YES" })] : []),
    ...(nodes.text === "" ? [] : [element("acpi", { nodeset: nodes }, undefined, { because: [nodes], rule: "ACPI_NODES" })]),
    ...place.nodes,
  ];
  return [element("hostdev", attributes, children, { because: [view.presence, view.get("UUID"), view.get("MDEV_MODE")], rule: "a PCI device of the host is handed to the guest" }), ...place.warnings];
}

/** A mediated device by its UUID, else a device by its address; vendor drivers of NVIDIA manage theirs themselves. */
function origin(view: VectorView): { readonly attributes: Readonly<Record<string, Value | string>>; readonly source: DomainNode } {
  const mode = view.get("MDEV_MODE");
  const uuid = view.get("UUID");
  if (uuid.text !== "" && ["legacy", ""].includes(mode.text.toLowerCase()))
    return { attributes: { mode: "subsystem", type: derived("mdev", uuid), model: "vfio-pci" }, source: element("address", { uuid }, undefined, { layout: { wide: ["uuid"] }, because: [uuid], rule: "a mediated device has a UUID" }) };
  const part = (key: string) => derived(`0x${view.get(key).text}`, view.get(key));
  const address = { domain: part("DOMAIN"), bus: part("BUS"), slot: part("SLOT"), function: part("FUNCTION") };
  const managed = derived(mode.text.toLowerCase() === "nvidia" ? "no" : "yes", mode);
  return { attributes: { mode: "subsystem", type: "pci", managed }, source: element("address", address, undefined, { layout: { wide: ["domain"] }, rule: "address of the device on the host" }) };
}

interface Place {
  readonly nodes: readonly DomainNode[];
  readonly warnings: readonly Part[];
}

function guestAddress(facts: Facts, { tree }: PciPlan, request: PciRequest): Place {
  const { view, busIndex } = request;
  const index = view.get("VM_BUS_INDEX");
  const bus = tree.kind === "numa" ? tree.plan.buses.get(request) : undefined;
  if (bus !== undefined) {
    const moved = bus === busIndex ? [] : [warning(`PCI device ${label(view)} moved to bus ${bus}: its place from OpenNebula belongs to another controller.`)];
    return { nodes: [onPort(derived(bus === busIndex ? index.text : bus, index, view.get("ROOT"), isFound(index) ? undefined : byRule("", "no VM_BUS_INDEX: a free root port"), bus === busIndex || tree.kind !== "numa" ? undefined : tree.switchedOn))], warnings: moved };
  }
  if (index.text !== "") {
    const beyond = tree.kind === "flat" && busIndex !== undefined && busIndex > tree.ports.count + 1 ? [warning(`PCI device ${label(view)} is on bus ${index.text}, but there are ${tree.ports.count} root ports: libvirt adds what is missing.`)] : [];
    return { nodes: [onPort(index)], warnings: beyond };
  }
  const own = { domain: view.get("VM_DOMAIN"), bus: view.get("VM_BUS"), slot: view.get("VM_SLOT"), function: view.get("VM_FUNCTION") };
  if (Object.values(own).some(({ text }) => text === "")) return { nodes: [], warnings: [] };
  return tree.kind === "flat" && !hasFrozenMachine(facts) && !/^(0x)?0+$/.test(own.slot.text) ? onOwnPort(view, own.domain) : { nodes: [fixed(own)], warnings: [] };
}

/** Two blanks before the bus, as OpenNebula writes it. */
function onPort(bus: Value): DomainNode {
  return element("address", { type: "pci", domain: "0x0000", slot: "0x00", function: "0x0", bus }, undefined, { because: [bus], layout: { wide: ["bus"] }, rule: "VM_BUS_INDEX: the root port behind which the device sits" });
}

function fixed({ domain, bus, slot, function: part }: { readonly domain: Value; readonly bus: Value; readonly slot: Value; readonly function: Value }): DomainNode {
  return element("address", { type: "pci", domain, bus, slot, function: part }, undefined, { because: [domain, bus, slot, part], rule: "VM_DOMAIN, VM_BUS, VM_SLOT and VM_FUNCTION" });
}

function onOwnPort(view: VectorView, domain: Value): Place {
  const address = fixed({ domain, bus: ownRootPort(view), slot: derived("0000", view.get("VM_SLOT")), function: derived("0", view.get("VM_FUNCTION")) });
  return { nodes: [address], warnings: [warning(`PCI device ${label(view)} moved to a root port: OpenNebula chose its address before the machine was known.`)] };
}

function label(view: VectorView): string {
  return view.get("SHORT_ADDRESS").text || view.get("PCI_ID").text;
}
