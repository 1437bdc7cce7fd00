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
  /** Finds it in the devices of the domain; undefined when it is gone. */
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
  await ask(departure, device, context);
  if (await isGone(departure, context, lookTime(context))) return;
  const answer = await waitForGuest(departure, device, context);
  if (await isGone(departure, context, lookTime(context))) return;
  throw stillThere(departure, answer, context);
}

async function ask(departure: Departure, { element }: LiveDevice, context: Context): Promise<void> {
  const { domain, what } = departure;
  try {
    await settle({
      doing: `detach ${what} from "${domain.name}"`,
      repeatable: true,
      call: () => context.hypervisor.devices.detach(domain.uuid, serializeXml(element), context.deadline),
      look: async (deadline) => ((await isGone(departure, context, deadline)) ? { now: "done" } : { now: "unknown", because: "it is still attached" }),
    }, judges(context));
  } catch (error) {
    if (!hasCode(error, "DEVICE_NOT_FOUND", "DOMAIN_NOT_FOUND")) throw error;
  }
}

/** The guest has seconds; first listen, then look once more, so that nothing is missed. */
async function waitForGuest(departure: Departure, { alias }: LiveDevice, context: Context): Promise<RemovalAnswer> {
  const { hypervisor, deadline, settings } = context;
  const limit = deadline.within(settings.kvmrc.VIRSH_TIMEOUT);
  try {
    using watch = await hypervisor.devices.watchRemoval(departure.domain.uuid, alias, limit);
    return (await isGone(departure, context, limit)) ? "removed" : await watch.answer(limit);
  } catch (error) {
    if (hasCode(error, "TIMED_OUT", "LIBVIRT_UNREACHABLE", "CONNECTION_LOST")) return "silent";
    throw error;
  }
}

async function isGone({ domain, find }: Departure, context: Context, deadline: Deadline): Promise<boolean> {
  try {
    return find(await devicesOf(domain, context, deadline)) === undefined;
  } catch (error) {
    if (hasCode(error, "DOMAIN_NOT_FOUND")) return true;
    throw error;
  }
}

function stillThere({ what }: Departure, answer: RemovalAnswer, { settings }: Context): OnevirtError {
  if (answer === "refused") return new OnevirtError("NOT_DONE", `the guest does not give ${what} back`, { hint: "see whether the guest uses it, for instance whether it is mounted" });
  return new OnevirtError("NOT_DONE", `the guest did not give ${what} back within ${settings.kvmrc.VIRSH_TIMEOUT} s; it may still do so`, {
    hint: "a guest that is booting or has no hotplug driver cannot; try again when it is up",
  });
}
