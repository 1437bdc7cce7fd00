import type { Deadline } from "../core/deadline.ts";
import { hasCode } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import { type PausedReason, pausedReason } from "../core/states.ts";
import { lifeOf, type Subject, type Verdict } from "../vm/liveness.ts";
import { isAtWork } from "./libvirt-work.ts";
import { lookTime } from "./look-time.ts";

const PAUSE_MS = 500;

/** Why libvirt pauses a VM that it is about to end, or has just begun: it writes its memory, or reads it (qemuDomainSaveInternal of qemu_driver.c, qemuProcessLaunch of qemu_process.c). */
const IN_BETWEEN: ReadonlySet<PausedReason> = new Set(["save", "startingup"]);

/** A verdict, and whether libvirt was still at work on the VM when there was no time left to wait. */
export type Settled = Verdict & { readonly atWork: boolean };

/**
 * What has become of a VM whose save, restore or revert lost its caller. libvirt may still be at work on it: its end is waited for as long
 * as the action may last. What may be a step on the way, by its look alone, is looked at again within `patience`.
 */
export async function settledLife(subject: Subject, context: Context, mayBeAStep: (verdict: Verdict) => boolean = () => false, patience?: Deadline): Promise<Settled> {
  for (;;) {
    const verdict = await lifeOf(subject, context, lookTime(context));
    const atWork = await isInWork(verdict, context);
    const left = atWork ? context.deadline.remainingMs() : patience && mayBeAStep(verdict) ? patience.remainingMs() : 0;
    if (left <= PAUSE_MS) return { ...verdict, atWork };
    await context.clock.sleep(PAUSE_MS);
  }
}

/** libvirt starts a QEMU paused, and lets it run when all else is in order. */
export function isPaused({ status }: Verdict): boolean {
  return status?.state === "paused";
}

/** A VM that ended since it was looked at is looked at again. */
async function isInWork({ life, status }: Verdict, context: Context): Promise<boolean> {
  if (life !== "running" || !status) return false;
  if (status.state === "paused" && IN_BETWEEN.has(pausedReason(status.reason))) return true;
  try {
    return await isAtWork(status.uuid, context);
  } catch (error) {
    if (hasCode(error, "DOMAIN_NOT_FOUND", "INVALID_STATE")) return true;
    throw error;
  }
}
