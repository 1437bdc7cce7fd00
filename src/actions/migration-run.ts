import { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus, Hypervisor } from "../core/ports.ts";
import { findAddress, needsOwnName } from "../migration/destination-address.ts";
import { gatherFacts, type MigrationFacts, type Witnesses } from "../migration/facts.ts";
import { Journal, type JournalEntry } from "../migration/journal.ts";
import type { MigrationOptions } from "../migration/option-reader.ts";
import { namesOf, preflight } from "../migration/preflight.ts";
import type { MigrationRequest } from "../migration/request.ts";
import { showSides, type Sides } from "../migration/sides.ts";
import { afterBlockJobs } from "./block-job.ts";
import { commit, type Ending, rollBack, unknownOutcome, whoRunsIt } from "./migration-end.ts";
import { prepareFiles, withCopies } from "./migration-prepare.ts";
import { forgetSnapshots, readSnapshots } from "./migration-snapshots.ts";
import { watched } from "./migration-watch.ts";

/** virErrorNumber: libvirt thinks that the VM could lose data. */
const VIR_ERR_MIGRATE_UNSAFE = 81;

const LOOK_SECONDS = 35;

/** A migration between two hosts. The context's hypervisor is the source's. */
export interface Migration {
  readonly request: MigrationRequest;
  readonly options: MigrationOptions;
  readonly context: Context;
  readonly destination: Hypervisor;
  readonly journal: Journal;
  /** This program runs on the front-end, which may know other names than the source. */
  readonly fromElsewhere?: true;
}

/** Who is asked before a migration. What a name means is only for the source to know. */
export function witnessesOf({ request, options, context, fromElsewhere }: Omit<Migration, "destination" | "journal">): Omit<Witnesses, "destination"> {
  const address = !fromElsewhere && needsOwnName(options) ? (destination: Hypervisor) => findAddress(request.destination, destination, context) : undefined;
  return { source: context.hypervisor, files: context.files, address };
}

/** What became of it; "moved before": an earlier migration, whose answer was lost, had brought it there. */
export type Moved = { readonly uuid: string; readonly how: "moved" | "moved before" };

/**
 * prepare, migrate, ask both sides who runs the VM, commit or roll back. Whatever the calls answered, only that question decides,
 * and while it has no answer nothing is destroyed, undefined or deleted (actions.md 17.1 rows 7 and 8).
 */
export async function migrateVm(migration: Migration): Promise<Moved> {
  const { request, options, context, destination, journal } = migration;
  refuseIf(namesOf(request));
  const connected = options.peerToPeer ? undefined : destination.migration.prepare(context.hypervisor.uri, look(context)).catch(() => undefined); // what needs the connections tells why there are none
  const { uuid, name } = await identify(migration);
  using _lock = await context.locks.acquire(uuid, name, "migrate", context.deadline);
  const open = journal.find(uuid);
  if (open) {
    const before = await finishEarlier(open, migration);
    if (before === "destination") return { uuid, how: "moved before" };
  }
  const domain = await context.hypervisor.find(uuid, look(context));
  if (!domain) return movedBefore(uuid, name, migration);
  return await start(domain, migration, connected);
}

/** The VM that oned means, also when it has left this side already. */
async function identify({ request: { ref, source, destination: to }, context, destination, journal }: Migration): Promise<{ readonly uuid: string; readonly name: string }> {
  const here = await context.hypervisor.find(ref, look(context));
  const found = here ?? journal.find(ref) ?? (await destination.find(ref, look(context)));
  if (found) return found;
  throw new OnevirtError("DOMAIN_NOT_FOUND", `there is no domain "${ref}" on ${source || "this host"}, and none on ${to}`);
}

/** Without a journal: when the answer of an earlier run was lost, what was asked for has been done. */
async function movedBefore(uuid: string, name: string, { request, context, destination }: Migration): Promise<Moved> {
  const there = await destination.find(uuid, look(context));
  if (there?.state !== "running") throw new OnevirtError("DOMAIN_NOT_FOUND", `there is no domain "${name}" on ${request.source || "this host"}; ${request.destination} has it ${there?.state ?? "neither"}`);
  context.log.log("INFO", `"${name}" runs on ${request.destination} already`);
  return { uuid, how: "moved before" };
}

/** Ends what a killed migration left: finishes it, or takes it back. An open end stays open, and says so. */
async function finishEarlier(entry: JournalEntry, migration: Migration): Promise<"source" | "destination"> {
  const { request, context, journal } = migration;
  using elsewhere = entry.destinationUri === request.destinationUri ? undefined : context.hypervisorAt(entry.destinationUri);
  const ending: Ending = { entry, context, journal, destination: elsewhere ?? migration.destination };
  context.log.log("INFO", `A migration of "${entry.name}" to ${entry.destination} did not end (it was in "${entry.phase}"): asking both sides`);
  const { owner, sides } = await whoRunsIt(ending);
  if (owner === "between" || owner === "unknown") throw unknownOutcome(ending, sides, undefined);
  if (owner === "source") return await takenBack(ending, sides);
  if (owner === "neither") {
    journal.close(entry.uuid);
    throw new OnevirtError("DOMAIN_NOT_FOUND", `"${entry.name}" runs on neither side (${showSides(sides, entry)})`);
  }
  await commit(ending, sides);
  if (elsewhere) throw new OnevirtError("INVALID_STATE", `"${entry.name}" runs on ${entry.destination}, where an earlier migration took it`, { hint: `migrate it from ${entry.destination}` });
  return "destination";
}

async function takenBack(ending: Ending, sides: Sides): Promise<"source"> {
  const left = await rollBack(ending, sides);
  if (left.length > 0) throw new OnevirtError("NOT_DONE", `"${ending.entry.name}" runs here, but an earlier migration of it cannot be taken back whole: ${left.join("; ")}`);
  return "source";
}

async function start(domain: DomainStatus, migration: Migration, connected: Promise<void> | undefined): Promise<Moved> {
  const { request, options, context, destination, journal } = migration;
  const facts = await gatherFacts(domain, request.shared, { ...witnessesOf(migration), destination, connected }, look(context));
  const findings = preflight(facts, request, options);
  for (const { text } of findings.filter(({ kind }) => kind === "warning")) context.log.log("WARN", text);
  refuseIf(findings);
  const { uuid, name } = domain;
  const entry = journal.write({
    uuid, name, source: request.source, destination: request.destination, destinationUri: request.destinationUri, phase: "prepare",
    wasRunning: domain.state === "running", definedBefore: facts.there !== undefined, made: [], ...(await readSnapshots(uuid, context)),
  });
  return await carryOut(facts, entry, migration);
}

async function carryOut(facts: MigrationFacts, prepared: JournalEntry, migration: Migration): Promise<Moved> {
  const { request, context, destination, journal } = migration;
  let entry = prepared;
  let failure: unknown;
  try {
    entry = await prepareFiles(facts.disks, request, entry, { write: (next) => (entry = journal.write(next)) } as Journal, context);
    await forgetSnapshots(entry, context);
    entry = journal.write({ ...entry, phase: "migrate" });
    await handOver(facts, entry, migration);
  } catch (error) {
    failure = error;
  }
  return await decide({ entry, context, destination, journal }, failure);
}

async function handOver({ domain, disks }: MigrationFacts, { uuid, name }: JournalEntry, { request, options: asked, context, destination }: Migration): Promise<void> {
  const options = withCopies(asked, disks);
  const { hypervisor: source, deadline } = context;
  const once = options.peerToPeer
    ? () => source.migration.migrateToUri(uuid, request.destinationUri, options.flags, options.parameters, deadline)
    : () => destination.migration.migrateFrom(source.uri, uuid, options.flags, options.parameters, deadline);
  await watched(domain, options, context, () => afterBlockJobs(`migration of "${name}"`, once, context, context.settings.kvmrc.VIRSH_TRIES));
}

/** The only place that says how a migration ended. */
async function decide(ending: Ending, failure: unknown): Promise<Moved> {
  const { entry, context, journal } = ending;
  const { owner, sides } = await whoRunsIt(ending);
  if (owner === "between" || owner === "unknown") throw unknownOutcome(ending, sides, failure);
  if (owner === "destination") {
    if (failure !== undefined) context.log.log("WARN", `"${entry.name}" runs on ${entry.destination}, although the migration reported: ${messageOf(failure)}`);
    await commit(ending, sides);
    return { uuid: entry.uuid, how: "moved" };
  }
  if (owner === "neither") {
    journal.close(entry.uuid);
    throw new OnevirtError("NOT_DONE", `"${entry.name}" ended while it was migrated${failure === undefined ? "" : `: ${messageOf(failure)}`} (${showSides(sides, entry)}); nothing was removed`, { cause: failure });
  }
  throw stayed(entry, failure, await rollBack(ending, sides));
}

/** The error of a migration that did not happen: where the VM is, why, and what is left to do. */
function stayed({ name, source }: JournalEntry, failure: unknown, left: readonly string[]): OnevirtError {
  const why = failure === undefined ? "libvirt reported success, but both sides say otherwise" : messageOf(failure);
  const rest = left.length === 0 ? "" : `; left over: ${left.join("; ")}`;
  const hint = hintFor(failure) ?? (left.length === 0 ? undefined : "the same migration again takes back what is left over first");
  return new OnevirtError(hasCode(failure, "LIBVIRT_UNREACHABLE", "BLOCK_JOB_ACTIVE", "COMMAND_FAILED", "LIBVIRT_FAILED", "INVALID_STATE", "BUSY") ? failure.code : "NOT_DONE", `"${name}" still runs on ${source || "the source"}: ${why}${rest}`, {
    cause: failure,
    ...(hint === undefined ? {} : { hint }),
  });
}

function hintFor(failure: unknown): string | undefined {
  if (!(failure instanceof OnevirtError)) return undefined;
  if (failure.libvirt?.code === VIR_ERR_MIGRATE_UNSAFE) return "use cache mode none for its disks, or MIGRATE_OPTIONS=--unsafe in kvmrc when the storage is really shared";
  return failure.hint;
}

function refuseIf(findings: readonly { readonly kind: string; readonly text: string }[]): void {
  const reasons = findings.filter(({ kind }) => kind === "refusal").map(({ text }) => text);
  if (reasons.length > 0) throw new OnevirtError("NOT_SUPPORTED", `nothing was done: ${reasons.join("; ")}`);
}

/** Time for one question; a migration that took everything must not keep the next one from being asked. */
function look({ deadline, clock }: Context): Deadline {
  return deadline.expired ? Deadline.after(LOOK_SECONDS, clock) : deadline.within(LOOK_SECONDS);
}
