import { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { lifeOf, type Verdict } from "../vm/liveness.ts";
import { settle } from "../vm/outcome.ts";
import { lookTime } from "./look-time.ts";

/** Pause between two tries, and between two looks at a process that is ending. */
const AGAIN_MS = 1000;
const LOOK_AGAIN_MS = 200;

/** How long a process may outlive its domain before that counts as a contradiction. */
const ENDING_SECONDS = 10;

/** Powers a domain off and returns when it is certain to be gone; tries again, and says so, until the deadline. */
export async function destroyUntilGone(domain: DomainStatus, context: Context, deadline: Deadline): Promise<void> {
  for (;;) {
    const refused = await destroyOnce(domain, context, deadline);
    const verdict = await whenEnded(domain, context);
    if (verdict.life === "gone") return;
    if (verdict.life === "unknown") throw new OnevirtError("OUTCOME_UNKNOWN", `it is not certain that it has ended: ${verdict.because}`, { hint: "look at the host before its disks are touched" });
    if (deadline.remainingMs() <= AGAIN_MS) throw new OnevirtError("NOT_DONE", `it still runs: ${refused ?? verdict.because}`);
    context.log.log("INFO", `"${domain.name}" still runs (${refused ?? verdict.because}), trying again`);
    await context.clock.sleep(AGAIN_MS);
  }
}

/** One try; the reason when libvirt refused it. */
async function destroyOnce({ uuid, name }: DomainStatus, context: Context, deadline: Deadline): Promise<string | undefined> {
  try {
    await settle({
      doing: `destroy "${name}"`,
      repeatable: true,
      call: () => context.hypervisor.destroy(uuid, deadline),
      look: async (until) => {
        const { life, because } = await lifeOf({ uuid, name }, context, until);
        return life === "gone" ? { now: "done" } : { now: life === "running" ? "not done" : "unknown", because };
      },
    }, { clock: context.clock, log: context.log, lookSeconds: context.settings.onevirt.FRESH_LOOK_SECONDS });
    return undefined;
  } catch (error) {
    if (hasCode(error, "OUTCOME_UNKNOWN", "LIBVIRT_UNREACHABLE", "LIBVIRT_MISSING")) throw error;
    return messageOf(error);
  }
}

/** The verdict after an end was asked for. The process may take a moment longer than its domain. */
export async function whenEnded({ uuid, name }: DomainStatus, context: Context): Promise<Verdict> {
  const patience = Deadline.after(ENDING_SECONDS, context.clock);
  for (;;) {
    const verdict = await lifeOf({ uuid, name }, context, lookTime(context));
    const processIsEnding = verdict.life === "unknown" && !patience.expired;
    if (!processIsEnding) return verdict;
    await context.clock.sleep(Math.min(LOOK_AGAIN_MS, patience.remainingMs()));
  }
}
