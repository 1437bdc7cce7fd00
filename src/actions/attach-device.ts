import type { LiveDevices } from "../codec/live-devices.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { settle } from "../vm/outcome.ts";
import { devicesOf } from "./live-domain.ts";
import { judges } from "./look-time.ts";

/** A device that is to come. */
export interface Arrival {
  readonly domain: DomainStatus;
  /** How it is called in messages: `disk vdb`. */
  readonly what: string;
  readonly xml: string;
  /** Whether the domain has it. */
  readonly isThere: (devices: LiveDevices) => boolean;
}

/** Attaches a device to a running domain: wholly, or libvirt has taken it back. */
export async function attachDevice({ domain, what, xml, isThere }: Arrival, context: Context): Promise<void> {
  await settle({
    doing: `attach ${what} to "${domain.name}"`,
    call: () => context.hypervisor.devices.attach(domain.uuid, xml, context.deadline),
    look: async (deadline) => (isThere(await devicesOf(domain, context, deadline)) ? { now: "done" } : { now: "unknown", because: "it is not attached yet" }),
  }, judges(context));
}
