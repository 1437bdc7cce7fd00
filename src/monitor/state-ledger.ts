import type { VmState } from "./vm-state.ts";

/** What is remembered of one VM between two passes. Times are seconds of the monotonic kind. */
export interface LedgerRow {
  readonly uuid: string;
  readonly id: number;
  readonly state: VmState;
  /** Passes in which it was not seen, and when the last of them was. */
  readonly missing: number;
  readonly missedAt?: number;
  /** When it was first seen. */
  readonly since: number;
  /** When its state is to be said once more, because OpenNebula may have been deaf to it, and when for the last time. */
  readonly repeatAt?: number;
  readonly lastAt?: number;
}

/** What one pass saw of a VM that libvirt lists. */
export interface Seen {
  readonly uuid: string;
  readonly id: number;
  readonly state: VmState;
}

/** Why a VM that is not listed may, or may not, be called gone. */
export type Absence = "ended" | "left" | "held" | "alive" | "unsure" | "absent";

/** One look at the host. */
export interface Observation {
  readonly seen: readonly Seen[];
  /** Of a VM that was seen before and is not listed: "ended" when an event said so and its process is gone, "left" when it was migrated or saved, "held" while an action works on it, "alive" while its process runs, "unsure" when nobody can be asked, else "absent". */
  readonly absence: (uuid: string) => Absence;
  readonly now: number;
  readonly sync: boolean;
  /** Passes after which plain absence is believed (probe_db.conf, times_missing). */
  readonly timesMissing: number;
  /** Seconds from one of those passes to the next: events make passes come in between, and those count for nothing. */
  readonly periodSeconds: number;
}

export interface Report {
  readonly rows: readonly LedgerRow[];
  readonly changes: readonly Seen[];
}

/**
 * oned ignores what it hears of a VM that entered or left RUNNING less than 30 s ago (monitoring.md 10.2), by an earlier report or by an
 * action of its own, which nobody here is told of. So all news is said again when oned hears again, whatever made it deaf: to say more is harmless.
 */
const DEAF_SECONDS = 35;

/** A pass at the end of a period may come a little early. */
const NEARLY = 0.8;

/** One pass over the ledger (monitoring.md 7.2): what is reported, and what is remembered; a row that stays is the same object. A VM is POWEROFF only when it is certain, or absent for long. */
export function pass(rows: readonly LedgerRow[], observation: Observation): Report {
  const { seen, now, sync } = observation;
  const before = new Map(rows.map((row) => [row.uuid, row]));
  const present = seen.map((vm) => update(before.get(vm.uuid), vm, now, sync));
  const uuids = new Set(seen.map(({ uuid }) => uuid));
  const ids = new Set(seen.map(({ id }) => id));
  // A VM that was deployed again has the same number and another UUID: its old row is history.
  const absent = rows.filter((row) => !uuids.has(row.uuid) && !ids.has(row.id)).map((row) => miss(row, observation));
  const all = [...present, ...absent];
  return { rows: all.flatMap(({ row }) => row ?? []), changes: all.flatMap(({ change }) => change ?? []) };
}

interface Step {
  readonly row?: LedgerRow;
  readonly change?: Seen;
}

function update(row: LedgerRow | undefined, { uuid, id, state }: Seen, now: number, sync: boolean): Step {
  const since = row?.since ?? now;
  const changed = row?.state !== state;
  const repeats = !changed && row?.repeatAt !== undefined && now >= row.repeatAt;
  if (row !== undefined && !changed && !repeats && row.missing === 0) return sync ? { row, change: row } : { row };
  const isNews = row !== undefined || state !== "RUNNING"; // that a VM runs is what OpenNebula expects of a new one
  const next: LedgerRow = { uuid, id, state, missing: 0, since, ...(changed ? isNews && again(since, now) : repeatsLeft(row, now)) };
  return changed || repeats || sync ? { row: next, change: { uuid, id, state } } : { row: next };
}

function miss(row: LedgerRow, { absence, now, sync, timesMissing, periodSeconds }: Observation): Step {
  const stays = (next: LedgerRow): Step => (sync ? { row: next, change: row } : { row: next });
  if (row.state === "POWEROFF") return repeat(row, now, sync);
  switch (absence(row.uuid)) {
    case "left": return {};
    case "ended": return powerOff(row, now);
    case "held": return stays({ ...row, missing: 0 });
    case "alive":
    case "unsure": return stays(row);
    case "absent":
      if (row.missedAt !== undefined && now - row.missedAt < periodSeconds * NEARLY) return stays(row);
      return row.missing >= timesMissing ? powerOff(row, now) : stays({ ...row, missing: row.missing + 1, missedAt: now });
  }
}

/** Said, and said again; then it is forgotten. */
function powerOff(row: LedgerRow, now: number): Step {
  return { row: { ...row, state: "POWEROFF", ...again(row.since, now) }, change: { uuid: row.uuid, id: row.id, state: "POWEROFF" } };
}

function repeat(row: LedgerRow, now: number, sync: boolean): Step {
  if (row.repeatAt !== undefined && now < row.repeatAt) return sync ? { row, change: row } : { row };
  const left = repeatsLeft(row, now);
  return left.repeatAt === undefined ? { change: row } : { row: { ...row, ...left }, change: row };
}

type Repeats = Pick<LedgerRow, "repeatAt" | "lastAt">;

/** A VM that is new here may have come to RUNNING when it was first seen, and any may have changed a moment ago. */
function again(since: number, now: number): Repeats {
  const lastAt = now + DEAF_SECONDS;
  return { repeatAt: now - since < DEAF_SECONDS ? since + DEAF_SECONDS : lastAt, lastAt };
}

/** What is still to come of it now. */
function repeatsLeft(row: LedgerRow | undefined, now: number): Repeats {
  const { repeatAt, lastAt } = row ?? {};
  if (repeatAt === undefined || lastAt === undefined || now >= lastAt) return {};
  return { repeatAt: now >= repeatAt ? lastAt : repeatAt, lastAt };
}
