import { ActionMessage } from "../codec/action-message.ts";
import { hasCode, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { Values } from "../domain/hotplug/values.ts";
import type { ActionInput } from "./action.ts";
import { type Departure, detachDevice } from "./detach-device.ts";
import { isHostDevice } from "./host-device.ts";
import { getLiveDomain } from "./live-domain.ts";
import { findEnding } from "./target.ts";

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

/** Takes a NIC of any type, a PCI device or a mediated device from a running VM (actions.md 7.11). */
export async function run({ arguments: args, stdin }: ActionInput, context: Context): Promise<string> {
  // The MAC is enough for a NIC: a call without a message can only mean one.
  const pci = stdin.trim() === "" ? undefined : (await ActionMessage.read(stdin)).marked("VM/TEMPLATE/PCI", "ATTACH");
  const what = pci ? hostDevice(new Values(pci)) : networkInterface(args.mac ?? "");
  const domain = await findLive(args["deploy-id"] ?? "", context);
  if (!domain) return "";
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "detach_nic", context.deadline);
  await detachDevice({ domain, ...what }, context);
  return "";
}

/** With its VM a NIC is gone too, as upstream has it: undefined then. A process that libvirt does not know of any more may still have the NIC. */
async function findLive(ref: string, context: Context): Promise<DomainStatus | undefined> {
  try {
    return await getLiveDomain(ref, context);
  } catch (error) {
    if (!hasCode(error, "DOMAIN_NOT_FOUND")) throw error;
    context.log.log("INFO", `There is no domain "${ref}": nothing to detach`);
    return findEnding(ref, context);
  }
}

function hostDevice(values: Values): Omit<Departure, "domain"> {
  return { what: "the PCI device", find: ({ hostDevices }) => hostDevices.find((each) => isHostDevice(each, values)) };
}

function networkInterface(mac: string): Omit<Departure, "domain"> {
  if (!MAC.test(mac)) throw new OnevirtError("BAD_ARGUMENT", `${JSON.stringify(mac.slice(0, 40))} is not a MAC address`);
  return { what: `interface ${mac}`, find: ({ interfaces }) => interfaces.find((each) => each.mac === mac.toLowerCase()) };
}
