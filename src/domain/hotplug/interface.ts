import { writeXml } from "../../codec/xml-write.ts";
import type { Settings } from "../../core/settings.ts";
import { OnevirtError } from "../../core/errors.ts";
import { type DomainNode, element } from "../element.ts";
import type { Values } from "./values.ts";

/** An interface that is to be attached. */
export interface HotInterface {
  readonly values: Values;
  /** TEMPLATE/VCPU of the VM. */
  readonly vcpu: string;
  readonly kvmrc: Settings["kvmrc"];
}

/** Where Open vSwitch and QEMU meet (actions.md 5). */
const VHOST_SOCKETS = "/var/run/one/vhost-socks";

/** The <interface> of a hot-plugged NIC (actions.md 9.1). BAD_INPUT for a name that would place the socket of DPDK elsewhere. */
export function interfaceXml(nic: HotInterface): string {
  const { values } = nic;
  const { type, nodes } = connection(values);
  const simple = (name: string, attribute: string, value: string) => (value === "" ? [] : [element(name, { [attribute]: value })]);
  const model = values.get("MODEL") || nic.kvmrc.DEFAULT_ATTACH_NIC_MODEL;
  return writeXml(element("interface", { type }, [
    ...nodes, ...simple("mac", "address", values.get("MAC")), ...simple("script", "path", values.get("SCRIPT")), ...simple("target", "dev", values.get("TARGET")),
    ...simple("boot", "order", values.get("ORDER")), ...simple("model", "type", model), ...driver(nic, model), ...filter(nic), ...bandwidth(values),
  ]));
}

function connection(values: Values): { readonly type: string; readonly nodes: readonly DomainNode[] } {
  if (!values.has("BRIDGE") || values.get("NETWORK_MODE").toLowerCase() === "dummy") return { type: "ethernet", nodes: [] };
  const kind = values.get("BRIDGE_TYPE");
  if (kind === "openvswitch_dpdk") return { type: "vhostuser", nodes: [element("source", { type: "unix", mode: "server", path: socketPath(values.get("TARGET")) })] };
  const source = values.get("BRIDGE") === "" ? [] : [element("source", { bridge: values.get("BRIDGE") })];
  return { type: "bridge", nodes: [...(kind === "openvswitch" ? [element("virtualport", { type: "openvswitch" })] : []), ...source] };
}

/** QEMU makes the socket: a user's name must not lead out of the directory. */
function socketPath(target: string): string {
  if (target === "" || target.startsWith(".") || target.includes("/")) throw new OnevirtError("BAD_INPUT", `TARGET of the NIC is ${JSON.stringify(target.slice(0, 40))}, no name of a device`);
  return `${VHOST_SOCKETS}/${target}`;
}

function driver({ values, vcpu }: HotInterface, model: string): readonly DomainNode[] {
  const asked = values.get("VIRTIO_QUEUES");
  const queues = asked.toLowerCase() === "auto" ? vcpu : asked;
  return model === "virtio" && queues !== "" ? [element("driver", { name: "vhost", queues })] : [];
}

function filter({ values, kvmrc }: HotInterface): readonly DomainNode[] {
  const name = values.get("FILTER") || kvmrc.DEFAULT_ATTACH_NIC_FILTER;
  if (name === "" || !values.has("IP")) return [];
  const addresses = [values.get("IP"), values.get("VROUTER_IP")].filter((ip) => ip !== "");
  return [element("filterref", { filter: name }, addresses.map((ip) => element("parameter", { name: "IP", value: ip })))];
}

function bandwidth(values: Values): readonly DomainNode[] {
  const directions = ["INBOUND", "OUTBOUND"].flatMap((name) => direction(name, values));
  return directions.length === 0 ? [] : [element("bandwidth", {}, directions)];
}

function direction(name: string, values: Values): readonly DomainNode[] {
  const [average, peak, burst] = ["AVG_BW", "PEAK_BW", "PEAK_KB"].map((key) => values.get(`${name}_${key}`) || undefined);
  return average ?? peak ?? burst ? [element(name.toLowerCase(), { average, peak, burst })] : [];
}
