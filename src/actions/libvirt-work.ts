import { hasCode } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import { lookTime } from "./look-time.ts";

/** libvirt itself waits 30 s for a call that is under way before it answers (QEMU_JOB_WAIT_TIME of qemu_domain.c). */
const JOB_LOOK_SECONDS = 45;
const JOB_PAUSE_MS = 500;

/**
 * Waits until libvirt has ended what it does with a VM, for as long as the action may last: after a call whose answer was lost it may
 * still be at work. False when there is no time left.
 */
export async function jobHasEnded(uuid: string, context: Context): Promise<boolean> {
  while (await isAtWork(uuid, context)) {
    if (context.deadline.remainingMs() <= JOB_PAUSE_MS) return false;
    await context.clock.sleep(JOB_PAUSE_MS);
  }
  return true;
}

/** Whether libvirt is at work on a VM: it has a job that others can see, or one that keeps them waiting. Not while it starts a QEMU: that is a state. */
export async function isAtWork(uuid: string, context: Context): Promise<boolean> {
  try {
    return (await context.hypervisor.jobs.progress(uuid, lookTime(context).within(JOB_LOOK_SECONDS))) !== undefined;
  } catch (error) {
    if (hasCode(error, "BUSY")) return true;
    throw error;
  }
}
