import { serializeXml } from "../codec/xml-serialize.ts";
import type { LiveDevice, LiveDevices } from "../codec/live-devices.ts";
import type { Deadline } from "../core/deadline.ts";
import { hasCode, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus, RemovalAnswer } from "../core/ports.ts";
import { settle } from "../vm/outcome.ts";
import { devicesOf } from "./live-domain.ts";
import { judges, lookTime } from "./look-time.ts";

/** A device that is to go. */
export interface Departure {
  readonly domain: DomainStatus;
  /** How it is called in messages: `disk vdb`. */
  readonly what: string;
  /** Finds it in the devices of the domain; undefined when there is none. */
  readonly find: (devices: LiveDevices) => LiveDevice | undefined;
}

/**
 * Takes a device from a running domain and tells the truth about it: libvirt only passes the request on to the guest, and the document
 * has the last word (actions.md 7.9). A device, or a domain, that is gone is what was asked for.
 */
export async function detachDevice(departure: Departure, context: Context): Promise<void> {
  const { domain, what, find } = departure;
  const device = find(await devicesOf(domain, context, context.deadline));
  if (!device) return context.log.log("INFO", `"${domain.name}" has no ${what}: nothing to detach`);
  const refused = await ask(departure, device, context);
  if (await isGone(departure, device, context, lookTime(context))) return;
  if (refused) throw stillThere(departure, "refused", 0);
  const seconds = Math.floor(Math.min(context.settings.kvmrc.VIRSH_TIMEOUT, context.deadline.remainingMs() / 1000));
  const answer = await waitForGuest(departure, device, context, seconds);
  if (await isGone(departure, device, context, lookTime(context))) return;
  throw stillThere(departure, answer, seconds);
}

/** Whether the guest has refused while libvirt itself still waited. */
async function ask(departure: Departure, device: LiveDevice, context: Context): Promise<boolean> {
  const { domain, what } = departure;
  try {
    await settle({
      doing: `detach ${what} from "${domain.name}"`,
      repeatable: true,
      call: () => context.hypervisor.devices.detach(domain.uuid, serializeXml(device.element), context.deadline),
      look: async (deadline) => ((await isGone(departure, device, context, deadline)) ? { now: "done" } : { now: "unknown", because: "it is still attached" }),
    }, judges(context));
    return false;
  } catch (error) {
    if (hasCode(error, "REMOVAL_REFUSED")) return true;
    if (!hasCode(error, "DEVICE_NOT_FOUND", "DOMAIN_NOT_FOUND")) throw error;
    return false;
  }
}

/** The guest has seconds; first listen, then look once more, so that nothing is missed. */
async function waitForGuest(departure: Departure, device: LiveDevice, context: Context, seconds: number): Promise<RemovalAnswer> {
  const limit = context.deadline.within(seconds);
  try {
    using watch = await context.hypervisor.devices.watchRemoval(departure.domain.uuid, device.alias, limit);
    return (await isGone(departure, device, context, limit)) ? "removed" : await watch.answer(limit);
  } catch (error) {
    if (hasCode(error, "TIMED_OUT", "LIBVIRT_UNREACHABLE", "CONNECTION_LOST")) return "silent";
    throw error;
  }
}

/** Another device that answers to the same description, as a second interface with the same MAC, is not this one: its alias tells. */
async function isGone({ domain, find }: Departure, device: LiveDevice, context: Context, deadline: Deadline): Promise<boolean> {
  try {
    const found = find(await devicesOf(domain, context, deadline));
    return found === undefined || found.alias !== device.alias;
  } catch (error) {
    if (hasCode(error, "DOMAIN_NOT_FOUND")) return true;
    throw error;
  }
}

function stillThere({ what }: Departure, answer: RemovalAnswer, seconds: number): OnevirtError {
  if (answer === "refused") return new OnevirtError("NOT_DONE", `the guest does not give ${what} back`, { hint: "see whether the guest uses it, for instance whether it is mounted" });
  return new OnevirtError("NOT_DONE", `the guest did not give ${what} back within ${seconds} s; it may still do so`, {
    hint: "a guest that is booting or has no hotplug driver cannot; try again when it is up",
  });
}
