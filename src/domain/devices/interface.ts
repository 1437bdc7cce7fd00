import { type DomainNode, element, filled, type Part, warning } from "../element.ts";
import { cannot, type Contributor, type Facts, ownOrInherited, queues } from "../facts.ts";
import type { AttributeView, VectorView } from "../levels.ts";
import { derived, type Value } from "../source.ts";
import { bootOrder } from "./disk.ts";

/** Where Open vSwitch and QEMU meet since 7.4 (actions.md 5). */
const VHOST_SOCKETS = "/var/run/one/vhost-socks";

/** An `<interface>` per NIC. VLAN, MTU and security groups are the network drivers' business on the host. */
export const interfaces: Contributor = (facts) => facts.vm.vectors("NIC").flatMap((nic) => networkInterface(facts, nic));

function networkInterface(facts: Facts, nic: VectorView): readonly Part[] {
  const inherited = (key: string) => ownOrInherited(facts, nic, "NIC", key);
  const model = inherited("MODEL");
  const { type, nodes } = attachment(nic, VHOST_SOCKETS, (reason) => cannot(facts.input, reason));
  const children = [
    ...nodes,
    ...simpleElement("mac", "address", nic.get("MAC"), "MAC"),
    ...simpleElement("target", "dev", nic.get("TARGET"), "TARGET: name of the device on the host"),
    ...bootOrder(nic.get("ORDER")),
    ...simpleElement("script", "path", nic.get("SCRIPT"), "SCRIPT"),
    ...simpleElement("model", "type", model, "the NIC's MODEL, else NIC/MODEL of host, cluster or defaults"),
    ...interfaceDriver(facts.vcpu, model, inherited("VIRTIO_QUEUES")),
    ...interfaceFilter(nic, inherited("FILTER"), "the NIC's FILTER, else NIC/FILTER of host, cluster or defaults"),
    ...bandwidth(nic),
  ];
  return [element("interface", { type }, children, { because: [nic.presence], rule: "a NIC; bridge and bridge type say how it is attached" }), ...bandwidthWarning(nic)];
}

/** How a NIC is attached to the host. `sockets` is where Open vSwitch and QEMU meet (actions.md 5); `refuse` makes the error of a NIC that would place its socket elsewhere. */
export function attachment(nic: AttributeView, sockets: string, refuse: (reason: string) => Error): { readonly type: Value; readonly nodes: readonly DomainNode[] } {
  const bridge = nic.get("BRIDGE");
  const kind = nic.get("BRIDGE_TYPE");
  const mode = nic.get("NETWORK_MODE");
  const type = (text: string) => derived(text, bridge, kind, mode);
  if (bridge.text === "" || mode.text.toUpperCase() === "DUMMY") return { type: type("ethernet"), nodes: [] };
  const source = element("source", { bridge }, undefined, { because: [bridge, kind, mode], rule: "BRIDGE" });
  if (kind.text === "openvswitch")
    return { type: type("bridge"), nodes: [element("virtualport", { type: derived("openvswitch", kind) }, undefined, { because: [kind, bridge, mode], rule: "an Open vSwitch bridge" }), source] };
  return kind.text === "openvswitch_dpdk" ? { type: type("vhostuser"), nodes: [vhostUser(sockets, socketName(nic.get("TARGET"), refuse), derived("", kind, bridge, mode))] } : { type: type("bridge"), nodes: [source] };
}

/** QEMU makes the socket: a user's name must not lead out of the directory. */
function socketName(target: Value, refuse: (reason: string) => Error): Value {
  if (/\/|^\.{1,2}$/.test(target.text)) throw refuse(`TARGET of the NIC is ${JSON.stringify(target.text.slice(0, 40))}, no name of a device`);
  return target;
}

function vhostUser(sockets: string, target: Value, kind: Value): DomainNode {
  const path = derived(`${sockets}/${target.text}`, target);
  return element("source", { type: "unix", mode: "server", path }, undefined, { because: [kind], layout: { blankAtEnd: true }, rule: "Open vSwitch with DPDK: a socket named after the device" });
}

/** `<name attribute='value'/>`, when there is a value. */
export function simpleElement(name: string, attribute: string, value: Value, rule: string): readonly DomainNode[] {
  return value.text === "" ? [] : [element(name, { [attribute]: value }, undefined, { because: [value], rule })];
}

/** Queues of a virtio NIC. */
export function interfaceDriver(vcpu: Value, model: Value, asked: Value): readonly DomainNode[] {
  const count = queues(asked, vcpu);
  if (model.text !== "virtio" || count.text === "") return [];
  return [element("driver", { name: "vhost", queues: count }, undefined, { because: [model, count], rule: "queues of a virtio NIC; auto is one per processor" })];
}

/** A filter needs an IPv4 address to hold the NIC to. */
export function interfaceFilter(nic: AttributeView, name: Value, rule: string): readonly DomainNode[] {
  const ip = nic.get("IP");
  if (ip.text === "" || name.text === "") return [];
  const router = nic.get("VROUTER_IP");
  const addresses = [ip, ...(router.text === "" ? [] : [router])];
  const parameters = addresses.map((value) => element("parameter", { name: "IP", value }, undefined, { because: [value] }));
  return [element("filterref", { filter: name }, parameters, { because: [name, ip], rule })];
}

/** `<bandwidth>`, when any of its keys is set. */
export function bandwidth(nic: AttributeView): readonly DomainNode[] {
  const directions = (["INBOUND", "OUTBOUND"] as const).flatMap((direction) => limits(nic, direction));
  return directions.length === 0 ? [] : [element("bandwidth", {}, directions, { because: directions, rule: "bandwidth keys of the NIC" })];
}

function limits(nic: AttributeView, direction: "INBOUND" | "OUTBOUND"): readonly (DomainNode & { readonly kind: "element" })[] {
  const [average, peak, burst] = [nic.get(`${direction}_AVG_BW`), nic.get(`${direction}_PEAK_BW`), nic.get(`${direction}_PEAK_KB`)];
  const set = [average, peak, burst].filter(({ text }) => text !== "");
  return set.length === 0 ? [] : [element(direction.toLowerCase(), { average: filled(average), peak: filled(peak), burst: filled(burst) }, undefined, { because: set, rule: `${direction}_AVG_BW, _PEAK_BW and _PEAK_KB` })];
}

function bandwidthWarning(nic: VectorView): readonly Part[] {
  const lame = ["INBOUND", "OUTBOUND"].filter((direction) => nic.get(`${direction}_AVG_BW`).text === "" && (nic.get(`${direction}_PEAK_BW`).text !== "" || nic.get(`${direction}_PEAK_KB`).text !== ""));
  return lame.map((direction) => warning(`libvirt refuses a bandwidth without average: set ${direction}_AVG_BW of the NIC.`));
}
