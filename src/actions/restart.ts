import type { Context } from "../core/ports.ts";
import { settle } from "../vm/outcome.ts";
import { getTarget } from "./target.ts";

/** What reboot and reset have in common: a running domain, its lock, one call whose effect cannot be seen afterwards. */
export async function restart(action: "reboot" | "reset", ref: string, call: (uuid: string) => Promise<void>, context: Context): Promise<string> {
  const domain = await getTarget(ref, context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, action, context.deadline);
  await settle(
    { doing: `${action} "${domain.name}"`, call: () => call(domain.uuid), look: async () => ({ now: "unknown", because: "libvirt does not tell whether a guest restarted" }) },
    { clock: context.clock, log: context.log, lookSeconds: context.settings.onevirt.FRESH_LOOK_SECONDS },
  );
  return "";
}
