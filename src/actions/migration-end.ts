import { Deadline } from "../core/deadline.ts";
import { messageOf, OnevirtError } from "../core/errors.ts";
import type { Context, Hypervisor } from "../core/ports.ts";
import { DestinationFiles } from "../migration/destination-files.ts";
import type { Journal, JournalEntry } from "../migration/journal.ts";
import { isMigration } from "../migration/progress.ts";
import { type Owner, ownerOf, settleSides, showSides, type Sides } from "../migration/sides.ts";
import { tellSnapshots } from "./migration-snapshots.ts";

/** Time for both sides to agree after a migration ended, however it ended. */
const AGREE_SECONDS = 20;
/** Time for one step that puts things in order. It is due even when the migration took all the time there was. */
const STEP_SECONDS = 30;

/** What the steps after a migration work with. The context's hypervisor is the source's. */
export interface Ending {
  readonly entry: JournalEntry;
  readonly context: Context;
  readonly destination: Hypervisor;
  readonly journal: Journal;
}

/** Who runs the VM, after both sides were asked. A migration that still goes on without us is ended first. */
export async function whoRunsIt(ending: Ending): Promise<{ readonly owner: Owner; readonly sides: Sides }> {
  const sides = await ask(ending);
  if (sides.source.now === "absent" || sides.source.now === "unknown" || sides.destination.now === "running") return { owner: ownerOf(sides), sides };
  const goesOn = await jobGoesOn(ending);
  if (goesOn === true) await endJob(ending);
  const again = goesOn === true ? await ask(ending) : sides;
  const stillGoesOn = goesOn === true ? await jobGoesOn(ending) : goesOn;
  // A receiver that may still be filled decides nothing yet.
  return { owner: stillGoesOn !== false && again.source.now === "running" && again.destination.now !== "absent" ? "between" : ownerOf(again), sides: again };
}

function ask({ entry, context, destination }: Ending): Promise<Sides> {
  return settleSides(entry.uuid, context.hypervisor, destination, context.clock, Deadline.after(AGREE_SECONDS, context.clock));
}

/** Ends a migration that nobody waits for any more. */
async function endJob({ entry, context }: Ending): Promise<void> {
  context.log.log("WARN", `A migration of "${entry.name}" still goes on without anybody waiting for it: ending it`);
  await context.hypervisor.jobs.abort(entry.uuid, step(context)).catch((error: unknown) => context.log.log("WARN", messageOf(error)));
}

/** Whether QEMU sends the domain away; undefined when it cannot be told. */
async function jobGoesOn({ entry, context }: Pick<Ending, "entry" | "context">): Promise<boolean | undefined> {
  try {
    return isMigration(await context.hypervisor.jobs.progress(entry.uuid, step(context)));
  } catch {
    return undefined;
  }
}

/** The VM is on the destination: everything that must follow it there. None of it may deny that it moved. */
export async function commit({ entry, context, destination, journal }: Ending, sides: Sides): Promise<void> {
  const { log } = context;
  journal.write({ ...entry, phase: "commit" });
  if (sides.destination.now === "paused" && entry.wasRunning) await tidy(`"${entry.name}" is on ${entry.destination}, but paused: it was not resumed`, "ERROR", context, () => destination.resume(entry.uuid, step(context)));
  if (sides.source.now === "paused") await endLeftover(entry, context);
  if (sides.source.now === "unknown") log.log("WARN", `"${entry.name}" runs on ${entry.destination}; this side cannot be asked (${sides.source.words}): look whether a paused domain is left here`);
  await tellSnapshots(entry, destination, context);
  if (sides.source.now !== "unknown") journal.close(entry.uuid);
}

/** The guest runs on the destination, so what stands paused here is only its shell. A post-copy that still sends memory is left alone. */
async function endLeftover(entry: JournalEntry, context: Context): Promise<void> {
  await tidy(`What is left of "${entry.name}" here was not removed`, "WARN", context, async () => {
    if ((await jobGoesOn({ entry, context })) !== false) throw new OnevirtError("BUSY", "its memory may still be being sent");
    await context.hypervisor.destroy(entry.uuid, step(context));
  });
}

/** The VM is on the source: takes back what was done for the migration. Gives what could not be taken back; the journal stays open then. */
export async function rollBack(ending: Ending, sides: Sides): Promise<readonly string[]> {
  const { entry, context, destination, journal } = ending;
  if (entry.phase !== "commit") journal.write({ ...entry, phase: "roll back" });
  const left: string[] = [];
  const attempt = async (what: string, work: () => Promise<unknown>) => void (await work().catch((error: unknown) => left.push(`${what}: ${messageOf(error)}`)));
  if (sides.destination.now === "unknown") left.push(`${entry.destination} cannot be asked whether something of the VM is left there: ${sides.destination.words}`);
  else {
    // A domain on the source that runs has never been handed over, so a paused one there is an empty receiver.
    if (sides.destination.now === "paused") await attempt("the receiving domain was not removed", () => destination.destroy(entry.uuid, step(context)));
    if (sides.destination.defined && !entry.definedBefore) await attempt("the definition on the destination was not removed", () => undefineLeftover(entry.uuid, destination, context));
    if (entry.made.length > 0) await attempt("files on the destination were not removed", () => removeFiles(ending));
  }
  if (sides.source.now === "paused" && sides.source.reason === "migration" && entry.wasRunning) await attempt("the VM was not resumed", () => context.hypervisor.resume(entry.uuid, step(context)));
  if (entry.phase !== "commit" && !(await tellSnapshots(entry, context.hypervisor, context))) left.push("not all snapshots are known to libvirt again");
  if (left.length === 0) journal.close(entry.uuid);
  return left;
}

/** Only what is not running is undefined, and only after another look. */
async function undefineLeftover(uuid: string, destination: Hypervisor, context: Context): Promise<void> {
  const status = await destination.find(uuid, step(context));
  if (status?.state === "shutoff") await destination.undefine(uuid, step(context));
}

/** Images that a running domain uses are never removed: one more look, immediately before. */
async function removeFiles({ entry, context, destination }: Ending): Promise<void> {
  if (await destination.find(entry.uuid, step(context))) throw new OnevirtError("INVALID_STATE", "the destination still has the domain");
  await new DestinationFiles(entry.destination, context).remove(entry.made);
}

/** The error of a migration whose outcome is not known. Everything stays as it is. */
export function unknownOutcome({ entry, journal }: Ending, sides: Sides, failure: unknown): OnevirtError {
  const why = failure === undefined ? "" : `: ${messageOf(failure)}`;
  return new OnevirtError("OUTCOME_UNKNOWN", `Outcome unknown: migrate "${entry.name}" to ${entry.destination}${why}; ${showSides(sides, entry)}; nothing was removed on either side`, {
    cause: failure,
    hint: `look for the domain with "virsh list --all" on both hosts; the same migration again, or "onevirt vmm migrate --plan", goes on from the journal ${journal.pathOf(entry.uuid)}`,
  });
}

async function tidy(what: string, severity: "WARN" | "ERROR", { log }: Context, work: () => Promise<unknown>): Promise<void> {
  await work().catch((error: unknown) => log.log(severity, `${what}: ${messageOf(error)}`));
}

function step({ clock }: Context): Deadline {
  return Deadline.after(STEP_SECONDS, clock);
}
