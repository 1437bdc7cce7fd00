import { type DomainNode, element, filled, type Part, warning } from "../element.ts";
import { type Contributor, type Facts, ownOrInherited, queues } from "../facts.ts";
import type { VectorView } from "../levels.ts";
import { derived, type Value } from "../source.ts";
import { bootOrder } from "./disk.ts";

/** An `<interface>` per NIC. VLAN, MTU and security groups are the network drivers' business on the host. */
export const interfaces: Contributor = (facts) => facts.vm.vectors("NIC").flatMap((nic) => networkInterface(facts, nic));

function networkInterface(facts: Facts, nic: VectorView): readonly Part[] {
  const inherited = (key: string) => ownOrInherited(facts, nic, "NIC", key);
  const model = inherited("MODEL");
  const { type, nodes } = attachment(nic);
  const children = [
    ...nodes,
    ...simple("mac", "address", nic.get("MAC"), "MAC"),
    ...simple("target", "dev", nic.get("TARGET"), "TARGET: name of the device on the host"),
    ...bootOrder(nic.get("ORDER")),
    ...simple("script", "path", nic.get("SCRIPT"), "SCRIPT"),
    ...simple("model", "type", model, "the NIC's MODEL, else NIC/MODEL of host, cluster or defaults"),
    ...driver(facts, model, inherited("VIRTIO_QUEUES")),
    ...filter(nic, inherited("FILTER")),
    ...bandwidth(nic),
  ];
  return [element("interface", { type }, children, { because: [nic.presence], rule: "a NIC; bridge and bridge type say how it is attached" }), ...bandwidthWarning(nic)];
}

function attachment(nic: VectorView): { readonly type: Value; readonly nodes: readonly DomainNode[] } {
  const bridge = nic.get("BRIDGE");
  const kind = nic.get("BRIDGE_TYPE");
  const mode = nic.get("NETWORK_MODE");
  const type = (text: string) => derived(text, bridge, kind, mode);
  if (bridge.text === "" || mode.text.toUpperCase() === "DUMMY") return { type: type("ethernet"), nodes: [] };
  const source = element("source", { bridge }, undefined, { because: [bridge, kind, mode], rule: "BRIDGE" });
  if (kind.text === "openvswitch")
    return { type: type("bridge"), nodes: [element("virtualport", { type: derived("openvswitch", kind) }, undefined, { because: [kind, bridge, mode], rule: "an Open vSwitch bridge" }), source] };
  return kind.text === "openvswitch_dpdk" ? { type: type("vhostuser"), nodes: [vhostUser(nic.get("TARGET"), derived("", kind, bridge, mode))] } : { type: type("bridge"), nodes: [source] };
}

function vhostUser(target: Value, kind: Value): DomainNode {
  const path = derived(`/var/run/one/vhost-socks/${target.text}`, target);
  return element("source", { type: "unix", mode: "server", path }, undefined, { because: [kind], layout: { blankAtEnd: true }, rule: "Open vSwitch with DPDK: a socket named after the device" });
}

function simple(name: string, attribute: string, value: Value, rule: string): readonly DomainNode[] {
  return value.text === "" ? [] : [element(name, { [attribute]: value }, undefined, { because: [value], rule })];
}

function driver({ vcpu }: Facts, model: Value, asked: Value): readonly DomainNode[] {
  const count = queues(asked, vcpu);
  if (model.text !== "virtio" || count.text === "") return [];
  return [element("driver", { name: "vhost", queues: count }, undefined, { because: [model, count], rule: "queues of a virtio NIC; auto is one per processor" })];
}

/** A filter needs an IPv4 address to hold the NIC to. */
function filter(nic: VectorView, name: Value): readonly DomainNode[] {
  const ip = nic.get("IP");
  if (ip.text === "" || name.text === "") return [];
  const router = nic.get("VROUTER_IP");
  const addresses = [ip, ...(router.text === "" ? [] : [router])];
  const parameters = addresses.map((value) => element("parameter", { name: "IP", value }, undefined, { because: [value] }));
  return [element("filterref", { filter: name }, parameters, { because: [name, ip], rule: "the NIC's FILTER, else NIC/FILTER of host, cluster or defaults" })];
}

function bandwidth(nic: VectorView): readonly DomainNode[] {
  const directions = (["INBOUND", "OUTBOUND"] as const).flatMap((direction) => limits(nic, direction));
  return directions.length === 0 ? [] : [element("bandwidth", {}, directions, { because: directions, rule: "bandwidth keys of the NIC" })];
}

function limits(nic: VectorView, direction: "INBOUND" | "OUTBOUND"): readonly (DomainNode & { readonly kind: "element" })[] {
  const [average, peak, burst] = [nic.get(`${direction}_AVG_BW`), nic.get(`${direction}_PEAK_BW`), nic.get(`${direction}_PEAK_KB`)];
  const set = [average, peak, burst].filter(({ text }) => text !== "");
  return set.length === 0 ? [] : [element(direction.toLowerCase(), { average: filled(average), peak: filled(peak), burst: filled(burst) }, undefined, { because: set, rule: `${direction}_AVG_BW, _PEAK_BW and _PEAK_KB` })];
}

function bandwidthWarning(nic: VectorView): readonly Part[] {
  const lame = ["INBOUND", "OUTBOUND"].filter((direction) => nic.get(`${direction}_AVG_BW`).text === "" && (nic.get(`${direction}_PEAK_BW`).text !== "" || nic.get(`${direction}_PEAK_KB`).text !== ""));
  return lame.map((direction) => warning(`libvirt refuses a bandwidth without average: set ${direction}_AVG_BW of the NIC.`));
}
