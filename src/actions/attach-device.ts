import type { LiveDevices } from "../codec/live-devices.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { settle } from "../vm/outcome.ts";
import { devicesOf } from "./live-domain.ts";
import { judges } from "./look-time.ts";

/** A device that is to come. */
export interface Arrival {
  readonly domain: DomainStatus;
  /** The devices of the domain before. */
  readonly before: LiveDevices;
  /** How it is called in messages: `disk vdb`. */
  readonly what: string;
  readonly xml: string;
  /** Whether the domain has it, or one that stands in its place. */
  readonly isThere: (devices: LiveDevices) => boolean;
}

/**
 * Attaches a device to a running domain: wholly, or libvirt has taken it back. Its place must be free: for a CD-ROM in a place that is
 * taken libvirt would change the medium of the drive that is there, and an answer that is lost could not be told from that drive.
 */
export async function attachDevice({ domain, before, what, xml, isThere }: Arrival, context: Context): Promise<void> {
  if (isThere(before)) throw new OnevirtError("INVALID_STATE", `"${domain.name}" has ${what} already`);
  await settle({
    doing: `attach ${what} to "${domain.name}"`,
    call: () => context.hypervisor.devices.attach(domain.uuid, xml, context.deadline),
    look: async (deadline) => (isThere(await devicesOf(domain, context, deadline)) ? { now: "done" } : { now: "unknown", because: "it is not attached yet" }),
  }, judges(context));
}
