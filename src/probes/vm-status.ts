import { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf, type OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus, LifecycleEvent } from "../core/ports.ts";
import { type Absence, type LedgerRow, pass } from "../monitor/state-ledger.ts";
import { vmIdOf, vmStateOf } from "../monitor/vm-state.ts";
import type { ProbeRequest } from "./probe.ts";

/** libvirt answers this from its own memory; longer is a daemon that hangs. */
const LIST_SECONDS = 3;

/** probe_db.conf of upstream's package. */
const TIMES_MISSING = 5;

/** Details of virDomainEventStopped that another action answers for: migrated, saved. */
const LEFT: ReadonlySet<number> = new Set([3, 4]);

/** A time before any clock began, that JSON can hold. */
const LONG_AGO = -1e9;

/** What is kept between passes, outside the synced tree: each copy of the tree would delete it (monitoring.md 2.2). */
interface Kept {
  readonly rows: readonly LedgerRow[];
  /** Monotonic seconds; a boot makes it meaningless, and then everything is said again. */
  readonly lastSync: number;
}

/** Domains that libvirt has just said to have stopped, by UUID, with the detail of the event. */
export const stopped = new Map<string, number>();

/** Remembers an event for the next pass. */
export function noteEvent({ uuid, kind, detail }: LifecycleEvent): void {
  if (kind === "stopped") stopped.set(uuid, detail);
  else if (kind === "started") stopped.delete(uuid);
}

/** What was reported last did not arrive: the next pass says everything. */
export function forgetSync(hostId: number, { state }: Context): void {
  const kept = read(hostId, state);
  if (kept) state.write(nameOf(hostId), { ...kept, lastSync: LONG_AGO });
}

/** A new process has a new clock: times of the one before mean nothing, states and missing counts do. */
export function startOver(hostId: number, { state }: Context): void {
  const rows = (read(hostId, state)?.rows ?? []).filter((row) => row.state !== "POWEROFF").map(({ uuid, id, state: known, missing }) => ({ uuid, id, state: known, missing, since: LONG_AGO }));
  state.write(nameOf(hostId), { rows, lastSync: LONG_AGO });
}

/**
 * States of all managed VMs, those that changed since the last pass or, at every sync, all (monitoring.md 7.2). It asks libvirt for nothing that
 * waits for a QEMU. When libvirt cannot be asked, what is known stays, and processes are looked at instead.
 */
export async function run({ hostId, configuration }: ProbeRequest, context: Context): Promise<string> {
  const now = context.clock.monotonicMs() / 1000;
  const kept = read(hostId, context.state);
  const listed = await list(context);
  const sync = "domains" in listed && (kept === undefined || kept.lastSync > now || now > kept.lastSync + configuration.periods.SYNC_STATE_VM);
  const seen = "domains" in listed ? listed.domains.flatMap(managed) : stillRunning(kept?.rows ?? [], context);
  const { rows, changes } = pass(kept?.rows ?? [], { seen, now, sync, timesMissing: TIMES_MISSING, absence: absenceIn(context, "domains" in listed ? undefined : listed.error) });
  const next: Kept = { rows, lastSync: sync ? now : (kept?.lastSync ?? LONG_AGO) };
  if (JSON.stringify(next) !== JSON.stringify(kept)) context.state.write(nameOf(hostId), next);
  for (const { uuid } of changes) stopped.delete(uuid);
  return [...(sync ? ["SYNC_STATE=yes", "MISSING_STATE=POWEROFF"] : []), ...changes.map(({ id, uuid, state }) => `VM = [ ID="${id}", DEPLOY_ID="${uuid}",  STATE="${state}" ]`)].map((line) => `${line}\n`).join("");
}

async function list({ hypervisor, clock, log }: Context): Promise<{ readonly domains: readonly DomainStatus[] } | { readonly error: OnevirtError }> {
  try {
    return { domains: await hypervisor.list(Deadline.after(LIST_SECONDS, clock)) };
  } catch (error) {
    if (!hasCode(error, "LIBVIRT_UNREACHABLE", "CONNECTION_LOST", "TIMED_OUT")) throw error;
    log.log("WARN", `libvirt does not list the VMs (${messageOf(error)}): their processes are looked at instead`);
    return { error };
  }
}

function managed(domain: DomainStatus) {
  const id = vmIdOf(domain.name);
  return id === undefined ? [] : [{ id, uuid: domain.uuid, state: vmStateOf(domain) }];
}

/** Without libvirt, a VM whose process runs is as it was. */
function stillRunning(rows: readonly LedgerRow[], { processes }: Context) {
  const running = processes.qemu();
  return rows.filter(({ uuid, state }) => state !== "POWEROFF" && running.has(uuid)).map(({ id, uuid, state }) => ({ id, uuid, state }));
}

/** Gone needs a process that is gone, and libvirt's word or a daemon that is known to be down; a daemon that hangs says nothing. */
function absenceIn({ processes, locks }: Context, error: OnevirtError | undefined): (uuid: string) => Absence {
  const running = processes.qemu();
  const held = new Set(locks.holders().map(({ uuid }) => uuid));
  return (uuid) => {
    const detail = stopped.get(uuid);
    if (detail !== undefined && LEFT.has(detail)) return "left";
    if (held.has(uuid)) {
      stopped.delete(uuid); // the action answers for it; afterwards only long absence counts
      return "held";
    }
    if (running.has(uuid)) return "alive";
    if (error?.code === "TIMED_OUT") return "unsure";
    return detail === undefined ? "absent" : "ended";
  };
}

function read(hostId: number, state: Context["state"]): Kept | undefined {
  const kept = state.read(nameOf(hostId)) as Partial<Kept> | undefined;
  return Array.isArray(kept?.rows) ? { rows: kept.rows, lastSync: typeof kept.lastSync === "number" ? kept.lastSync : LONG_AGO } : undefined;
}

function nameOf(hostId: number): string {
  return `vm-states-${hostId}`;
}
