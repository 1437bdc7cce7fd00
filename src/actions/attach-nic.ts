import { ActionMessage } from "../codec/action-message.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { hostAddress, hostDeviceXml, wantedPlace } from "../domain/hotplug/host-device.ts";
import { interfaceXml } from "../domain/hotplug/interface.ts";
import { Values } from "../domain/hotplug/values.ts";
import type { ActionInput } from "./action.ts";
import { attachDevice } from "./attach-device.ts";
import { isHostDevice } from "./host-device.ts";
import { devicesOf, getLiveDomain } from "./live-domain.ts";

/** The bridge of the guest behind which OpenNebula places PCI devices. */
const PCI_BRIDGE = "pci.1";

/** Attaches a NIC, a PCI device or a mediated device to a running VM (actions.md 7.10). */
export async function run({ arguments: args, stdin }: ActionInput, context: Context): Promise<string> {
  const message = await ActionMessage.read(stdin);
  const pci = message.marked("VM/TEMPLATE/PCI", "ATTACH");
  const nic = message.marked("VM/TEMPLATE/NIC", "ATTACH");
  if (!pci && !nic) throw new OnevirtError("BAD_INPUT", "the driver message has no NIC and no PCI device with ATTACH=YES");
  const domain = await getLiveDomain(args["deploy-id"] ?? "", context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "attach_nic", context.deadline);
  if (pci) await attachHostDevice(domain, new Values(pci), context);
  else if (nic) await attachInterface(domain, new Values(nic), message.text("VM/TEMPLATE/VCPU"), context);
  return "";
}

async function attachInterface(domain: DomainStatus, values: Values, vcpu: string, context: Context): Promise<void> {
  const mac = values.get("MAC").toLowerCase();
  const before = await devicesOf(domain, context, context.deadline);
  const xml = interfaceXml({ values, vcpu, kvmrc: context.settings.kvmrc, sockets: context.generation.vhostSockets });
  await attachDevice({ domain, before, what: `interface ${mac}`, xml, isThere: ({ interfaces }) => mac !== "" && interfaces.some((each) => each.mac === mac) }, context);
}

async function attachHostDevice(domain: DomainStatus, values: Values, context: Context): Promise<void> {
  const before = await devicesOf(domain, context, context.deadline);
  const place = wantedPlace(values);
  const placeIsFree = place !== undefined && before.aliases.has(PCI_BRIDGE) && !before.guestAddresses.has(place);
  const xml = hostDeviceXml({ values, isVirtualFunction: values.get("UUID") === "" && isVirtualFunction(values, context), placeIsFree });
  await attachDevice({ domain, before, what: "the PCI device", xml, isThere: ({ hostDevices }) => hostDevices.some((each) => isHostDevice(each, values)) }, context);
}

/** The kernel links a virtual function to its card. */
function isVirtualFunction(values: Values, { files }: Context): boolean {
  const { domain, bus, slot, function: part } = hostAddress(values);
  const name = `${domain.padStart(4, "0")}:${bus.padStart(2, "0")}:${slot.padStart(2, "0")}.${part}`.toLowerCase();
  return files.kind(`/sys/bus/pci/devices/${name}/physfn`) !== undefined;
}
