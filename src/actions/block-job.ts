import { hasCode } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";

/** How often, and how far apart, an operation is tried that a copy of a disk stands in the way of (actions.md 13). */
const TRIES = 3;
const PAUSE_MS = 5000;

/** Does `work` again while libvirt refuses it because a disk is being copied; a live snapshot of the storage takes seconds. */
export async function afterBlockJobs<T>(what: string, work: () => Promise<T>, { clock, log, deadline }: Context, tries = TRIES): Promise<T> {
  for (let left = tries; ; left--) {
    try {
      return await work();
    } catch (error) {
      if (!hasCode(error, "BLOCK_JOB_ACTIVE") || left <= 1 || deadline.remainingMs() <= PAUSE_MS) throw error;
      log.log("INFO", `${what}: a disk is being copied, trying again in ${PAUSE_MS / 1000} s`);
      await clock.sleep(PAUSE_MS);
    }
  }
}
