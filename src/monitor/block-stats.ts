import type { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf } from "../core/errors.ts";
import type { Clock, DomainStats, Hypervisor, Log, ProcessTable, QemuProcess, StateStore, StatsFields } from "../core/ports.ts";
import { remember } from "./remember.ts";

/** Uses of one poll: each abandoned attempt leaves a thread behind, in libvirtd too. */
const ATTEMPTS = 3;

/** Time on top of POLL_MONITOR_SECONDS for each domain, in seconds (field-notes 3.2). */
const SECONDS_A_DOMAIN = 0.01;

const STATE_NAME = "quarantine";

/** A VM whose QEMU did not answer, until when (wall clock, ms) it is left alone, and the start of its process. One that is stopped is left alone as long as it is. */
type Quarantine = Readonly<Record<string, { readonly name: string; readonly until: number; readonly start: number; readonly isStopped: boolean }>>;

export interface BlockSources {
  readonly hypervisor: Hypervisor;
  readonly processes: ProcessTable;
  readonly state: StateStore;
  readonly clock: Clock;
  readonly log: Log;
  /** POLL_MONITOR_SECONDS and QUARANTINE_SECONDS. */
  readonly attemptSeconds: number;
  readonly quarantineSeconds: number;
}

/** Whose disk counters are wanted. */
export interface Wanted {
  readonly domains: readonly NamedDomain[];
  /** These are all active domains of the host: asking for all at once saves a look-up of each. */
  readonly areAll: boolean;
}

export interface NamedDomain {
  readonly uuid: string;
  readonly name: string;
}

/**
 * Disk counters by UUID, for every domain whose QEMU answers. They are the only numbers that need QEMU, and one that is stuck
 * blocks the whole bulk call: then the thread is abandoned, and the next try passes that domain by, because the abandoned call
 * holds its job (NOWAIT). Domains without an answer are named and left alone for a while.
 */
export async function readBlockStats({ domains, areAll }: Wanted, qemu: ReadonlyMap<string, QemuProcess>, sources: BlockSources, deadline: Deadline): Promise<ReadonlyMap<string, StatsFields>> {
  const { state, clock, log } = sources;
  const known = asQuarantine(state.read(STATE_NAME));
  const before = stillValid(known, qemu, clock.nowMs(), sources.quarantineSeconds);
  const asked = domains.filter(({ uuid }) => !before[uuid]);
  const { found, timeouts, latest } = await readWithRetries({ domains: asked, areAll: areAll && asked.length === domains.length }, qemu, sources, deadline);
  const stopped = asked.filter(({ uuid }) => isStopped(latest.get(uuid)) && !found.has(uuid));
  const stuck = timeouts > 0 ? asked.filter((domain) => !found.has(domain.uuid) && !stopped.includes(domain)) : [];
  const leftOut = [...domains.filter(({ uuid }) => before[uuid]), ...stopped, ...stuck];
  for (const { name } of leftOut) log.log("WARN", `QEMU of "${name}" does not answer: its disk counters are left out`);
  if (leftOut.length + Object.keys(known).length > 0) remember(STATE_NAME, { ...before, ...quarantineOf([...stopped, ...stuck], latest, sources) }, sources);
  return found;
}

/** What came at last, how often nobody answered, and the processes as they were seen last: one that was stopped meanwhile is not asked again. */
async function readWithRetries({ domains, areAll }: Wanted, qemu: ReadonlyMap<string, QemuProcess>, { hypervisor, processes, log, attemptSeconds }: BlockSources, deadline: Deadline) {
  let latest = qemu;
  for (let timeouts = 0; ; timeouts++, latest = processes.qemu()) {
    const asked = domains.filter(({ uuid }) => !isStopped(latest.get(uuid)));
    const without = { found: new Map<string, StatsFields>(), timeouts, latest };
    if (asked.length === 0 || timeouts === ATTEMPTS) return without;
    if (deadline.expired) {
      if (timeouts === 0) log.log("WARN", "Disk counters are left out: no time is left to ask for them");
      return without;
    }
    try {
      const uuids = areAll && asked.length === domains.length ? undefined : asked.map(({ uuid }) => uuid);
      return { ...without, found: answered(await hypervisor.stats(["block"], uuids, deadline.within(attemptSeconds + asked.length * SECONDS_A_DOMAIN))) };
    } catch (error) {
      if (hasCode(error, "TIMED_OUT")) continue;
      log.log("WARN", `Disk counters are left out: ${messageOf(error)}`);
      return { ...without, timeouts: 0 };
    }
  }
}

/** Domains whose QEMU told its counters. One that was passed by still has names and paths of its disks, which libvirt knows itself. */
function answered(stats: readonly DomainStats[]): Map<string, StatsFields> {
  return new Map(stats.filter(({ fields }) => hasCounters(fields)).map(({ uuid, fields }) => [uuid, fields]));
}

function hasCounters(fields: StatsFields): boolean {
  const count = Number(fields["block.count"] ?? Number.NaN);
  return count === 0 || Array.from({ length: count || 0 }).some((_, index) => fields[`block.${index}.rd.bytes`] !== undefined);
}

/** SIGSTOP and debuggers: such a process answers nobody. */
function isStopped(process: QemuProcess | undefined): boolean {
  return process?.state === "T" || process?.state === "t";
}

function quarantineOf(domains: readonly NamedDomain[], qemu: ReadonlyMap<string, QemuProcess>, { clock, quarantineSeconds }: BlockSources): Quarantine {
  const until = clock.nowMs() + quarantineSeconds * 1000;
  return Object.fromEntries(domains.map(({ uuid, name }) => [uuid, { name, until, start: qemu.get(uuid)?.startTicks ?? 0, isStopped: isStopped(qemu.get(uuid)) }]));
}

/** Entries whose time has not come and whose process is still the same, and still stopped if it was. One that ends later than a new one would is of a clock that has gone back. */
function stillValid(quarantine: Quarantine, qemu: ReadonlyMap<string, QemuProcess>, now: number, quarantineSeconds: number): Quarantine {
  return Object.fromEntries(Object.entries(quarantine).filter(([uuid, { until, start, isStopped: was }]) => until > now && until <= now + quarantineSeconds * 1000 && (qemu.get(uuid)?.startTicks ?? 0) === start && (!was || isStopped(qemu.get(uuid)))));
}

function asQuarantine(value: unknown): Quarantine {
  return typeof value === "object" && value !== null ? (value as Quarantine) : {};
}
