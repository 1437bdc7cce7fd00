import { hasCode, messageOf } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";

/** The agent needs a moment after the guest runs again; a guest that has none is not waited for. */
const TRIES = 4;
const PAUSE_MS = 1000;
/** libvirt says of a silent agent after 5 s that it is. */
const TRY_SECONDS = 7;

/** Sets the clock of a guest that was stopped for a while, when SYNC_TIME asks for it. It never fails the action: the VM runs. */
export async function syncTime(uuid: string, { hypervisor, settings, clock, log, deadline }: Context): Promise<void> {
  if (!settings.kvmrc.SYNC_TIME) return;
  for (let left = TRIES; left > 0; left--) {
    try {
      return await hypervisor.guest.syncTime(uuid, deadline.within(TRY_SECONDS));
    } catch (error) {
      if (left === 1 || !hasCode(error, "AGENT_UNRESPONSIVE", "BUSY", "TIMED_OUT")) return log.log("WARN", `The clock of the guest was not set: ${messageOf(error)}`);
      await clock.sleep(PAUSE_MS);
    }
  }
}
