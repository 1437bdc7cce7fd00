import { writeXml } from "../../codec/xml-write.ts";
import { OnevirtError } from "../../core/errors.ts";
import type { Settings } from "../../core/settings.ts";
import { attachment, bandwidth, interfaceDriver, interfaceFilter, simpleElement } from "../devices/interface.ts";
import { type DomainNode, element } from "../element.ts";
import { asValue, type Values } from "./values.ts";

/** An interface that is to be attached. */
export interface HotInterface {
  readonly values: Values;
  /** TEMPLATE/VCPU of the VM. */
  readonly vcpu: string;
  readonly kvmrc: Settings["kvmrc"];
  /** Where Open vSwitch and QEMU meet (actions.md 5): the network driver of the same oned names the other end. */
  readonly sockets: string;
}

/**
 * The <interface> of a hot-plugged NIC, made by the contributors of the generator with the defaults of kvmrc (actions.md 9.1).
 * BAD_INPUT for a NIC that cannot be attached as it is.
 */
export function interfaceXml({ values, vcpu, kvmrc, sockets }: HotInterface): string {
  const { view } = values;
  const model = asValue(values.get("MODEL") || kvmrc.DEFAULT_ATTACH_NIC_MODEL);
  const name = asValue(values.get("FILTER") || kvmrc.DEFAULT_ATTACH_NIC_FILTER);
  const simple = (element: string, attribute: string, key: string) => simpleElement(element, attribute, view.get(key), key);
  checkBridge(values);
  const { type, nodes } = attachment(view, sockets, badInput);
  if (type.text === "vhostuser" && values.get("TARGET") === "") throw badInput("the NIC has no TARGET, which names the socket of DPDK");
  const children: readonly DomainNode[] = [
    ...nodes, ...simple("mac", "address", "MAC"), ...simple("script", "path", "SCRIPT"), ...simple("target", "dev", "TARGET"), ...simple("boot", "order", "ORDER"),
    ...simpleElement("model", "type", model, "MODEL"), ...interfaceDriver(asValue(vcpu), model, view.get("VIRTIO_QUEUES")),
    ...interfaceFilter(view, name, "FILTER, else DEFAULT_ATTACH_NIC_FILTER of kvmrc"), ...bandwidth(view),
  ];
  return writeXml(element("interface", { type }, children));
}

const badInput = (reason: string) => new OnevirtError("BAD_INPUT", reason);

/** A bridge without a name is a mistake in the network, which libvirt would refuse; the generator would leave the NIC unconnected. */
function checkBridge(values: Values): void {
  if (values.has("BRIDGE") && values.get("BRIDGE") === "" && values.get("NETWORK_MODE").toLowerCase() !== "dummy") throw badInput("BRIDGE of the NIC is empty");
}
