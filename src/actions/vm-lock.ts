import { hasCode } from "../core/errors.ts";
import type { Context, DomainIdentity } from "../core/ports.ts";

/** Actions that a cancel need not wait for: the guest is asked for something that the end of the VM makes pointless. */
const OVERRIDDEN: ReadonlySet<string> = new Set(["shutdown", "reboot", "reset"]);

const TRY_SECONDS = 1;

/** The lock of a VM for an action that must end it even while a guest is being asked politely. Waits for all other actions. */
export async function lockOverriding({ uuid, name }: DomainIdentity, action: string, context: Context): Promise<Disposable> {
  for (;;) {
    const holder = context.locks.holder(uuid);
    if (holder && OVERRIDDEN.has(holder.action)) {
      context.log.log("INFO", `${action} of "${name}" does not wait for "${holder.action}" of process ${holder.pid}`);
      return { [Symbol.dispose]: () => undefined };
    }
    try {
      return await context.locks.acquire(uuid, name, action, context.deadline.within(TRY_SECONDS));
    } catch (error) {
      if (!hasCode(error, "BUSY") || context.deadline.expired) throw error;
    }
  }
}
