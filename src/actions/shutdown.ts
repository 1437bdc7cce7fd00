import type { Deadline } from "../core/deadline.ts";
import type { DomainDocument } from "../codec/domain-document.ts";
import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus, ShutdownMode, StopWatch } from "../core/ports.ts";
import { PAUSED_REASONS } from "../core/states.ts";
import { LOOK_SECONDS } from "../vm/limits.ts";
import { lifeOf, type Verdict } from "../vm/liveness.ts";
import { compactMemoryOnStop } from "./compact-memory.ts";
import { destroyUntilGone, whenEnded } from "./destroy.ts";
import { lookTime } from "./look-time.ts";
import type { ActionInput } from "./action.ts";
import { deployIdOf, findEnding, readLiveDocument } from "./target.ts";
import { tpmBackup } from "./tpm-state.ts";
import { deleteVgpus } from "./vgpu.ts";

/** Events come at once; this is how often the domain is looked at all the same. */
const SAFETY_LOOK_SECONDS = 5;

/** The same when there are no events, or when one came and the domain is still there. */
const LOOK_AGAIN_MS = 1000;

/** How long libvirt may take to pass the request on, for instance to an agent that is silent. */
const REQUEST_SECONDS = 30;

/** A domain paused for one of these reasons goes on by itself. */
const PASSING_PAUSES: ReadonlySet<string> = new Set(["migration", "save", "dump", "fromsnapshot", "shuttingdown", "snapshot", "startingup", "postcopy"]);

/** Asks the guest to power off and waits until it has (actions.md 7.2). Gone already is success. */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  const domain = await findEnding(deployIdOf(args), context);
  if (domain) await end(domain, context);
  await compactMemoryOnStop(context);
  return "";
}

async function end(domain: DomainStatus, context: Context): Promise<void> {
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "shutdown", context.deadline);
  const document = await readLiveDocument(domain, context); // before the domain disappears, and its metadata with it
  const tpm = document && tpmBackup(document, context);
  await tpm?.before();
  if (mustDestroy(document, context)) await destroyUntilGone(domain, context, context.deadline);
  else await powerOff(domain, context);
  await tpm?.after();
  if (document) await deleteVgpus(document, document.systemDatastore, context);
}

/** A guest without ACPI would never hear the request. */
function mustDestroy(document: DomainDocument | undefined, { settings, log }: Context): boolean {
  const destroy = settings.kvmrc.CANCEL_NO_ACPI && document?.acpi === false;
  if (destroy) log.log("INFO", `"${document.name}" has no ACPI: it is powered off at once (CANCEL_NO_ACPI)`);
  return destroy;
}

async function powerOff(domain: DomainStatus, context: Context): Promise<void> {
  const { SHUTDOWN_TIMEOUT: seconds, FORCE_DESTROY: force } = context.settings.kvmrc;
  const end = context.deadline.within(seconds);
  const reason = await askAndWait(domain, end, seconds / 2, context);
  if (reason === undefined) return;
  if (!force) throw new OnevirtError("NOT_DONE", reason, { hint: "raise SHUTDOWN_TIMEOUT or set FORCE_DESTROY=yes in kvmrc, or terminate it hard" });
  context.log.log("ERROR", `${reason}. Destroying it`);
  await destroyUntilGone(domain, context, context.deadline);
}

/** Asks, and asks once more after half the time, then by ACPI only. Gives the reason when the domain has not ended. */
async function askAndWait(domain: DomainStatus, end: Deadline, halfSeconds: number, context: Context): Promise<string | undefined> {
  using watch = await listen(domain, context); // first listen, then ask: nothing can be missed
  const half = end.within(halfSeconds); // also for an agent that takes the request and never answers
  const refused = await ask(domain, "default", half, context);
  if (refused && (await isStuck(domain, context))) return refused;
  if ((await awaitEnd(domain, watch, half, context)).life === "gone") return undefined;
  await ask(domain, "acpi", end, context);
  const { life, because } = await awaitEnd(domain, watch, end, context);
  if (life === "unknown") throw new OnevirtError("OUTCOME_UNKNOWN", `it is not certain that it has ended: ${because}`, { hint: "check libvirtd on this host" });
  return life === "gone" ? undefined : `Timed out shutting down ${domain.name}`;
}

/** Without events there still is the regular look. */
async function listen({ uuid, name }: DomainStatus, { hypervisor, deadline, log }: Context): Promise<StopWatch> {
  try {
    return await hypervisor.watchStop(uuid, deadline.within(LOOK_SECONDS));
  } catch (error) {
    log.log("WARN", `Cannot listen to the end of "${name}", looking every second instead: ${messageOf(error)}`);
    return { stopped: async () => false, [Symbol.dispose]: () => undefined };
  }
}

/** Passes the request on; the reason when it was not taken. A request that is late may still arrive, and harms nobody then. */
async function ask({ uuid, name }: DomainStatus, mode: ShutdownMode, end: Deadline, { hypervisor, log }: Context): Promise<string | undefined> {
  try {
    await hypervisor.shutdown(uuid, mode, end.within(REQUEST_SECONDS));
    return undefined;
  } catch (error) {
    if (hasCode(error, "DOMAIN_NOT_FOUND")) return undefined; // the wait will see that it is gone
    log.log("WARN", `The request to shut down "${name}" (${mode}) failed: ${messageOf(error)}`);
    return messageOf(error);
  }
}

/** A domain that stands still will not hear any request: a user's pause, an I/O error, a crash. */
async function isStuck(domain: DomainStatus, { hypervisor, deadline }: Context): Promise<boolean> {
  const now = await hypervisor.find(domain.uuid, deadline.within(LOOK_SECONDS)).catch(() => undefined);
  if (!now) return false;
  return now.state === "crashed" || now.state === "pmsuspended" || (now.state === "paused" && !PASSING_PAUSES.has(PAUSED_REASONS[now.reason] ?? ""));
}

/** Waits for the end of the domain, and gives the last verdict. The event is a reason to look; the look decides; unknown is not an end. */
async function awaitEnd(domain: DomainStatus, watch: StopWatch, end: Deadline, context: Context): Promise<Verdict> {
  for (;;) {
    const wait = end.within(SAFETY_LOOK_SECONDS);
    const event = await watch.stopped(wait);
    const verdict = event ? await whenEnded(domain, context) : await lifeOf(domain, context, lookTime(context));
    if (verdict.life === "gone" || end.expired) return verdict;
    if (!wait.expired) await context.clock.sleep(Math.min(LOOK_AGAIN_MS, end.remainingMs())); // started again by somebody, or the listener was lost
  }
}
