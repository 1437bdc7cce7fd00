import type { Context } from "../core/ports.ts";
import { type PausedReason, pausedReason } from "../core/states.ts";
import { lifeOf, type Subject, type Verdict } from "../vm/liveness.ts";
import { lookTime } from "./look-time.ts";

const PAUSE_MS = 500;

/** Why libvirt pauses a VM that it is about to end, or has just begun: it writes its memory, or reads it. */
const AT_WORK: ReadonlySet<PausedReason> = new Set(["save", "startingup"]);

/**
 * What has become of a VM whose save or start lost its caller: libvirt may still be at work on it, and its end is waited for as long as
 * the action may last. The reasons are those of qemuDomainSaveInternal (qemu_driver.c) and qemuProcessLaunch (qemu_process.c).
 */
export async function settledLife(subject: Subject, context: Context): Promise<Verdict> {
  for (;;) {
    const verdict = await lifeOf(subject, context, lookTime(context));
    if (!isAtWork(verdict) || context.deadline.remainingMs() <= PAUSE_MS) return verdict;
    await context.clock.sleep(PAUSE_MS);
  }
}

/** Whether libvirt was still at work when it was looked at. */
export function isAtWork({ status }: Verdict): boolean {
  return status?.state === "paused" && AT_WORK.has(pausedReason(status.reason));
}
