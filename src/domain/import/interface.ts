import { bootByKind, bootOrder } from "./disk.ts";
import { type Importer, note, type Piece, raw, vector, type Wild } from "./piece.ts";
import { GENERATED_DEVICE } from "./raw-text.ts";
import type { Reading } from "./reading.ts";

/** A NIC for each interface on a bridge; what OpenNebula cannot attach (macvtap, slirp and the like) stays as it is, in RAW. */
export const interfaces: Importer = (wild) => (wild.devices?.children("interface") ?? []).flatMap((each) => networkInterface(wild, each));

function networkInterface(wild: Wild, own: Reading): readonly Piece[] {
  const attached = attachment(own);
  if (!attached) return [raw("devices", own), note(`an interface of type ${JSON.stringify(own.attribute("type"))} stands in RAW: OpenNebula attaches NICs to bridges`)];
  const model = own.child("model")?.attribute("type");
  const target = own.child("target")?.attribute("dev") ?? "";
  const entries = {
    ...attached, MAC: own.child("mac")?.attribute("address"), TARGET: GENERATED_DEVICE.test(target) ? undefined : target, MODEL: model, SCRIPT: own.child("script")?.attribute("path"),
    VIRTIO_QUEUES: model === "virtio" ? queues(own) : undefined, ...filter(own), ...bandwidth(own),
  };
  return vector("NIC", entries, { order: bootOrder(own) ?? bootByKind(wild, own), comments: origin(own) });
}

/** BRIDGE and its type; undefined for what is no bridge. */
function attachment(own: Reading): Readonly<Record<string, string | undefined>> | undefined {
  const type = own.attribute("type");
  const source = own.child("source");
  const bridge = source?.attribute("bridge");
  const port = own.child("virtualport");
  if (type === "ethernet" && !source) return {};
  if (type === "vhostuser") return vhostUser(own, source);
  if (!["bridge", "network"].includes(type ?? "") || bridge === undefined) return undefined;
  for (const name of ["network", "portid"]) source?.attribute(name);
  const openVswitch = port?.attribute("type") === "openvswitch";
  if (openVswitch) port?.child("parameters")?.finish();
  return { BRIDGE: bridge, BRIDGE_TYPE: openVswitch ? "openvswitch" : "linux" };
}

/** The socket of OpenNebula's Open vSwitch with DPDK is named after the device; the bridge is not in the document. */
function vhostUser(own: Reading, source: Reading | undefined): Readonly<Record<string, string>> | undefined {
  const path = source?.element.attributes["path"] ?? "";
  const device = own.child("target")?.attribute("dev");
  if (device === undefined || path !== `/var/run/one/vhost-socks/${device}`) return undefined;
  source?.finish();
  return { BRIDGE: "ovsbr0", BRIDGE_TYPE: "openvswitch_dpdk" };
}

function origin(own: Reading): readonly string[] {
  const network = own.child("source")?.attribute("network");
  if (own.attribute("type") === "vhostuser") return ["The bridge behind the socket is not in the document: put its name in place of ovsbr0."];
  return network === undefined ? [] : [`On the libvirt network ${JSON.stringify(network)}; NETWORK="…" in place of BRIDGE attaches it to a network of OpenNebula.`];
}

function queues(own: Reading): string {
  const driver = own.child("driver");
  driver?.attribute("name");
  return driver?.attribute("queues") ?? "1";
}

/** A filter with the addresses it holds the NIC to. */
function filter(own: Reading): Readonly<Record<string, string | undefined>> {
  const reference = own.child("filterref");
  const addresses = (reference?.children("parameter") ?? []).filter((each) => each.element.attributes["name"] === "IP");
  const [ip, router] = addresses.map((each) => (each.attribute("name"), each.attribute("value")));
  return ip === undefined ? {} : { FILTER: reference?.attribute("filter"), IP: ip, VROUTER_IP: router };
}

function bandwidth(own: Reading): Readonly<Record<string, string | undefined>> {
  const limits = own.child("bandwidth");
  return Object.fromEntries(["inbound", "outbound"].flatMap((direction) => {
    const way = limits?.child(direction);
    const name = direction.toUpperCase();
    const average = way?.attribute("average");
    return average === undefined ? [] : [[`${name}_AVG_BW`, average], [`${name}_PEAK_BW`, way?.attribute("peak")], [`${name}_PEAK_KB`, way?.attribute("burst")]] as const;
  }));
}
