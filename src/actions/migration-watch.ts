import { Deadline } from "../core/deadline.ts";
import { messageOf, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import type { MigrationOptions } from "../migration/option-reader.ts";
import { type MigrationProgress, progressLine, readProgress, StallWatch } from "../migration/progress.ts";

const LOOK_EVERY_MS = 1000;
const LOOK_SECONDS = 10;
/** A line in oned's log about as often as an operator looks. */
const TELL_EVERY_MS = 10_000;

/** What was done to the migration from outside, once each. */
interface Steps {
  switched: boolean;
  timedOut: boolean;
  gaveUp: OnevirtError | undefined;
}

/**
 * Runs `work`, which migrates, and looks after it: tells its progress, keeps --timeout and --postcopy-after-precopy as virsh does,
 * and ends it when it gets nowhere for MIGRATE_STALL_SECONDS or outlives the limit of the action. An end of ours is an abort of
 * the job, so that the VM goes on where it was; the error then says why.
 */
export async function watched(domain: DomainStatus, options: MigrationOptions, context: Context, work: () => Promise<void>): Promise<void> {
  const steps: Steps = { switched: false, timedOut: false, gaveUp: undefined };
  let over = false;
  const migration = work().finally(() => (over = true));
  const watch = look(domain, options, context, steps, () => over, migration);
  try {
    await migration;
  } catch (error) {
    throw steps.gaveUp ?? error;
  } finally {
    await watch;
  }
}

async function look(domain: DomainStatus, options: MigrationOptions, context: Context, steps: Steps, isOver: () => boolean, migration: Promise<void>): Promise<void> {
  const { clock, hypervisor, deadline, log } = context;
  const started = clock.monotonicMs();
  const stall = new StallWatch();
  const ended = migration.catch(() => undefined);
  for (let told = started; !isOver(); ) {
    await Promise.race([ended, clock.sleep(LOOK_EVERY_MS)]);
    if (isOver()) return;
    const now = clock.monotonicMs();
    const progress = readProgress(await hypervisor.jobs.progress(domain.uuid, deadline.within(LOOK_SECONDS)).catch(() => undefined));
    if (isOver()) return;
    if (progress && now - told >= TELL_EVERY_MS) {
      log.log("INFO", `Migration of "${domain.name}": ${progressLine(progress)}`);
      told = now;
    }
    try {
      await guide({ domain, options, context, steps, progress, elapsedMs: now - started, stalledMs: progress ? stall.stalledMs(progress, now) : 0 });
    } catch (error) {
      if (!isOver()) log.log("WARN", `The migration of "${domain.name}" cannot be guided: ${messageOf(error)}`);
    }
  }
}

interface Moment {
  readonly domain: DomainStatus;
  readonly options: MigrationOptions;
  readonly context: Context;
  readonly steps: Steps;
  readonly progress: MigrationProgress | undefined;
  readonly elapsedMs: number;
  readonly stalledMs: number;
}

async function guide({ domain, options, context, steps, progress, elapsedMs, stalledMs }: Moment): Promise<void> {
  if (steps.switched || steps.gaveUp) return;
  const { settings, deadline } = context;
  const stallSeconds = settings.onevirt.MIGRATE_STALL_SECONDS;
  const timeout = options.timeoutSeconds !== undefined && elapsedMs >= options.timeoutSeconds * 1000;
  const stalled = stallSeconds > 0 && stalledMs >= stallSeconds * 1000;
  const firstPass = (progress?.iteration ?? 0) >= 2;
  if (options.postcopy && ((timeout && options.atTimeout === "postcopy") || (options.postcopyAfterPrecopy && firstPass) || stalled)) return switchOver(domain, context, steps);
  if (timeout && options.atTimeout === "suspend" && !steps.timedOut) return suspend(domain, context, steps);
  if (stalled) return giveUp(domain, context, steps, `what is left to send has not become less for ${stallSeconds} s`, "let MIGRATE_OPTIONS have --auto-converge or --postcopy, or more --bandwidth; MIGRATE_STALL_SECONDS of onevirt.conf sets the patience");
  if (deadline.remainingMs() <= 2 * LOOK_EVERY_MS) return giveUp(domain, context, steps, "it takes longer than LIMIT_MIGRATE allows", "onevirt.conf sets the limit");
}

/** From here on the guest runs on the destination, and its memory follows. */
async function switchOver({ uuid, name }: DomainStatus, { hypervisor, deadline, log }: Context, steps: Steps): Promise<void> {
  steps.switched = true;
  log.log("INFO", `Migration of "${name}": switching to post-copy`);
  await hypervisor.jobs.startPostCopy(uuid, deadline.within(LOOK_SECONDS));
}

/** As virsh does at its timeout: a guest that stands still changes nothing. libvirt lets it run again on the destination. */
async function suspend({ uuid, name }: DomainStatus, { hypervisor, deadline, log }: Context, steps: Steps): Promise<void> {
  steps.timedOut = true;
  log.log("INFO", `Migration of "${name}": suspending the guest after its timeout`);
  await hypervisor.suspend(uuid, deadline.within(LOOK_SECONDS));
}

async function giveUp({ uuid, name }: DomainStatus, { hypervisor, clock, log }: Context, steps: Steps, reason: string, hint: string): Promise<void> {
  steps.gaveUp = new OnevirtError("NOT_DONE", `the migration was ended: ${reason}`, { hint });
  log.log("WARN", `Migration of "${name}": ending it, ${reason}`);
  await hypervisor.jobs.abort(uuid, Deadline.after(LOOK_SECONDS, clock));
}
