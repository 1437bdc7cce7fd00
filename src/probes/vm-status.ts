import { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf, type OnevirtError } from "../core/errors.ts";
import { isLauncher } from "../core/launcher.ts";
import type { Context, DomainStatus, LifecycleEvent, LockHolder } from "../core/ports.ts";
import { remember } from "../monitor/remember.ts";
import { type Absence, type LedgerRow, pass, type Seen } from "../monitor/state-ledger.ts";
import { vmIdOf, vmStateOf } from "../monitor/vm-state.ts";
import { readLedgerSettings } from "./ledger-settings.ts";
import type { ProbeRequest } from "./probe.ts";

/** libvirt answers this from its own memory; longer is a daemon that hangs. */
const LIST_SECONDS = 3;

/** Details of virDomainEventStopped that another action answers for: migrated, saved. */
const LEFT: ReadonlySet<number> = new Set([3, 4]);

/** A time before any clock began, that JSON can hold. */
const LONG_AGO = -1e9;

/** What is kept between passes, outside the synced tree: each copy of the tree would delete it (monitoring.md 2.2). */
interface Kept {
  readonly rows: readonly LedgerRow[];
  /** Monotonic seconds; a boot makes it meaningless, and then everything is said again. */
  readonly lastSync: number;
  /** Since when a sync waits. */
  readonly dueSince?: number;
}

/** With this file the scripts of upstream are back, which take no lock. */
const SWITCH = "/etc/onevirt/off";

/** Actions that bring VMs into being; a list from such a moment may lack one that OpenNebula will soon believe in. */
const BIRTHS: ReadonlySet<string> = new Set(["deploy", "restore"]);

/** A sync waits this many of its periods for a moment without births; they may follow each other without end. */
const MOST_PERIODS = 2;

/** Domains that libvirt has just said to have stopped, by UUID, with the detail of the event. */
const stopped = new Map<string, number>();

/** Domains whose end was begun while an action had their lock: the action answers for it, also when it has ended before the next pass. */
const acted = new Set<string>();

/** When VMs were seen locked last, by UUID and by name; monotonic ms. */
const locked = new Map<string, number>();

/** An action hears of the end when we do, and may have given its lock back before we look. */
const LOCK_MEMORY_MS = 10_000;

let source: "libvirt" | "processes" = "libvirt";

/** Who answered the last pass. */
export function stateSource(): "libvirt" | "processes" {
  return source;
}

/** Remembers an event for the next pass. Locks are looked at now: an action may give its lock back a moment after the end of the VM. */
export function noteEvent({ uuid, name, kind, detail }: LifecycleEvent, context: Pick<Context, "locks" | "clock">): void {
  if (kind === "started") {
    stopped.delete(uuid);
    acted.delete(uuid);
  }
  if ((kind === "shutdown" || kind === "stopped") && wasLocked([uuid, name], context)) acted.add(uuid);
  if (kind === "stopped") stopped.set(uuid, detail);
}

/** A report without the claim that it is complete. */
export function withoutSync(text: string): string {
  return text.replace(/^SYNC_STATE=yes\nMISSING_STATE=POWEROFF\n/, "");
}

/** What was reported last did not arrive: the next pass says everything. */
export function forgetSync(hostId: number, context: Context): void {
  const kept = read(hostId, context.state);
  if (kept) keep(hostId, { ...kept, lastSync: LONG_AGO }, context);
}

/** The machine may have been started again since: then times mean nothing, states and missing counts do. */
export function startOver(hostId: number, context: Context): void {
  const known = isObsolete(hostId, context) ? [] : (read(hostId, context.state)?.rows ?? []);
  const rows = known.filter((row) => row.state !== "POWEROFF").map(({ uuid, id, state, missing }) => ({ uuid, id, state, missing, since: LONG_AGO }));
  stopped.clear();
  acted.clear();
  locked.clear();
  keep(hostId, { rows, lastSync: LONG_AGO }, context);
}

/**
 * States of all managed VMs, those that changed since the last pass or, at every sync, all (monitoring.md 7.2). It asks libvirt for nothing that
 * waits for a QEMU. When libvirt cannot be asked, what is known stays, and processes are looked at instead.
 */
export async function run({ hostId, configuration }: ProbeRequest, context: Context): Promise<string> {
  const now = context.clock.monotonicMs() / 1000;
  const kept = read(hostId, context.state);
  const due = kept === undefined || now < kept.lastSync || now > kept.lastSync + configuration.periods.SYNC_STATE_VM;
  const dueSince = due ? Math.min(kept?.dueSince ?? now, now) : undefined;
  const mayWait = dueSince === undefined || now - dueSince < MOST_PERIODS * configuration.periods.SYNC_STATE_VM;
  const before = birth(context);
  const listed = await list(context);
  const sync = "domains" in listed && due && !(mayWait && (before || birth(context)));
  const seen = "domains" in listed ? managed(listed.domains) : stillRunning(kept?.rows ?? [], context);
  if (!sync && dueSince === undefined && "domains" in listed && isQuiet(listed.domains, kept)) return "";
  const { timesMissing } = readLedgerSettings(context);
  const { rows, changes } = pass(kept?.rows ?? [], { seen, now, sync, timesMissing, periodSeconds: configuration.periods.STATE_VM, absence: absenceIn(context, kept?.rows ?? [], "domains" in listed ? undefined : listed.error) });
  const next: Kept = { rows, lastSync: sync ? now : (kept?.lastSync ?? LONG_AGO), ...(sync || dueSince === undefined ? {} : { dueSince }) };
  if (!isKept(next, kept)) keep(hostId, next, context);
  else if ("domains" in listed && changes.length === 0 && rows.length === seen.length && rows.every(hasSettled)) quiet = { domains: listed.domains, kept };
  forgetEvents(rows, changes);
  return [...(sync ? ["SYNC_STATE=yes", "MISSING_STATE=POWEROFF"] : []), ...changes.map(({ id, uuid, state }) => `VM = [ ID="${id}", DEPLOY_ID="${uuid}",  STATE="${state}" ]`)].map((line) => `${line}\n`).join("");
}

/** Whether an action brings a VM into being just now. */
export function birth(context: Context): boolean {
  return lookAtLocks(context).some(({ action }) => BIRTHS.has(action));
}

/** The actions at work now; their VMs are remembered for a while. */
function lookAtLocks({ locks, clock }: Pick<Context, "locks" | "clock">): readonly LockHolder[] {
  const now = clock.monotonicMs();
  const holders = locks.holders();
  for (const key of holders.flatMap(({ uuid, name }) => [uuid, name])) locked.set(key, now);
  for (const [key, at] of locked) if (now - at > LOCK_MEMORY_MS) locked.delete(key);
  return holders;
}

function wasLocked(keys: readonly string[], context: Pick<Context, "locks" | "clock">): boolean {
  lookAtLocks(context);
  return keys.some((key) => locked.has(key));
}

/** Events of VMs that have been reported, or are none of ours, mean nothing any more. */
function forgetEvents(rows: readonly LedgerRow[], reported: readonly Seen[]): void {
  if (stopped.size === 0 && acted.size === 0) return;
  const known = new Set(rows.map(({ uuid }) => uuid));
  for (const { uuid } of reported) stopped.delete(uuid);
  for (const uuid of stopped.keys()) if (!known.has(uuid)) stopped.delete(uuid);
  for (const uuid of acted) if (!known.has(uuid)) acted.delete(uuid);
}

async function list({ hypervisor, clock, log }: Context): Promise<{ readonly domains: readonly DomainStatus[] } | { readonly error: OnevirtError }> {
  try {
    const domains = await hypervisor.list(Deadline.after(LIST_SECONDS, clock));
    if (source !== "libvirt") log.log("INFO", "libvirt lists the VMs again");
    source = "libvirt";
    return { domains };
  } catch (error) {
    if (!hasCode(error, "LIBVIRT_UNREACHABLE", "CONNECTION_LOST", "TIMED_OUT")) throw error;
    if (source === "libvirt") log.log("WARN", `libvirt does not list the VMs (${messageOf(error)}): their processes and pid files are looked at instead`);
    source = "processes";
    return { error };
  }
}

/** A list, and what was kept, from which nothing followed. */
let quiet: { readonly domains: readonly DomainStatus[]; readonly kept: Kept | undefined } | undefined;

/** Nothing has happened since, so nothing follows again: most passes end here. */
function isQuiet(domains: readonly DomainStatus[], kept: Kept | undefined): boolean {
  return quiet !== undefined && quiet.domains === domains && quiet.kept === kept && stopped.size === 0 && acted.size === 0;
}

/** Nothing is to be said of it later without another sight of it. */
function hasSettled({ missing, repeatAt }: LedgerRow): boolean {
  return missing === 0 && repeatAt === undefined;
}

/** What the last list meant: it is the same list as long as nothing has changed. */
let understood: { readonly domains: readonly DomainStatus[]; readonly seen: readonly Seen[] } | undefined;

function managed(domains: readonly DomainStatus[]): readonly Seen[] {
  if (understood?.domains !== domains) understood = { domains, seen: domains.flatMap(asSeen) };
  return understood.seen;
}

function asSeen(domain: DomainStatus): readonly Seen[] {
  const id = vmIdOf(domain.name);
  return id === undefined ? [] : [{ id, uuid: domain.uuid, state: vmStateOf(domain) }];
}

/** Without libvirt, a VM whose process runs is as it was. */
function stillRunning(rows: readonly LedgerRow[], { processes }: Context) {
  const lives = livesBy(processes);
  return rows.filter((row) => row.state !== "POWEROFF" && lives(row)).map(({ id, uuid, state }) => ({ id, uuid, state }));
}

/** Whether a VM has a process: by its UUID on a command line, else by libvirt's pid file. /proc is read when somebody is asked for first. */
function livesBy(processes: Context["processes"]): (row: Pick<LedgerRow, "id" | "uuid">) => boolean {
  let running: ReadonlySet<string> | undefined;
  return ({ id, uuid }) => (running ??= new Set(processes.qemu().keys())).has(uuid) || processes.pidFile(`one-${id}`) !== undefined;
}

/** Gone needs a process that is gone, and libvirt's word or a daemon that is known to be down; a daemon that hangs says nothing. */
function absenceIn({ processes, locks, files, tree }: Context, rows: readonly LedgerRow[], error: OnevirtError | undefined): (uuid: string) => Absence {
  const lives = livesBy(processes);
  return (uuid) => {
    const row = rows.find((each) => each.uuid === uuid);
    const detail = stopped.get(uuid);
    if (detail !== undefined && LEFT.has(detail)) return "left";
    if (locks.holder(uuid) ?? (row && locks.holder(`one-${row.id}`))) {
      acted.add(uuid); // the action answers for it; afterwards only long absence counts
      return "held";
    }
    if (row && lives(row)) return "alive";
    if (error?.code === "TIMED_OUT") return "unsure";
    return detail === undefined || acted.has(uuid) || !takesLocks(files, tree) ? "absent" : "ended";
  };
}

/** Whether the actions of this host are ours: only those can be seen at work, by their locks. */
function takesLocks(files: Context["files"], tree: string): boolean {
  return files.kind(SWITCH) === undefined && isLauncher(Buffer.from(files.head(`${tree}/vmm/kvm/cancel`, 256) ?? "").toString());
}

/** States of this process, by where they are kept: a disk that is full or read-only costs what a restart would need, not the report. */
const memory = new WeakMap<Context["state"], Map<number, Kept>>();

/** Whether it is kept already: rows that stay are the same objects. */
function isKept({ rows, lastSync, dueSince }: Kept, kept: Kept | undefined): boolean {
  return kept !== undefined && lastSync === kept.lastSync && dueSince === kept.dueSince && rows.length === kept.rows.length && rows.every((row, index) => row === kept.rows[index]);
}

function read(hostId: number, state: Context["state"]): Kept | undefined {
  const remembered = memory.get(state)?.get(hostId);
  if (remembered) return remembered;
  const kept = state.read(nameOf(hostId)) as Partial<Kept> | undefined;
  return Array.isArray(kept?.rows) ? hold(hostId, { rows: kept.rows, lastSync: typeof kept.lastSync === "number" ? kept.lastSync : LONG_AGO }, state) : undefined;
}

function hold(hostId: number, kept: Kept, state: Context["state"]): Kept {
  memory.set(state, (memory.get(state) ?? new Map<number, Kept>()).set(hostId, kept));
  return kept;
}

/** With the wall clock's second: every sync writes, so a file that is older than some syncs has had no agent. */
function keep(hostId: number, kept: Kept, context: Context): void {
  hold(hostId, kept, context.state);
  remember(nameOf(hostId), { ...kept, writtenAt: Math.floor(context.clock.nowMs() / 1000) }, context);
}

/** Whether what is kept has lain there for longer than probe_db.conf allows. */
function isObsolete(hostId: number, context: Context): boolean {
  const { writtenAt } = (context.state.read(nameOf(hostId)) ?? {}) as { readonly writtenAt?: unknown };
  return typeof writtenAt === "number" && context.clock.nowMs() / 1000 - writtenAt > readLedgerSettings(context).obsoleteSeconds;
}

function nameOf(hostId: number): string {
  return `vm-states-${hostId}`;
}
