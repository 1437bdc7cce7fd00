import type { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf } from "../core/errors.ts";
import type { Clock, DomainStats, Hypervisor, Log, QemuProcess, StateStore, StatsFields } from "../core/ports.ts";
import { remember } from "./remember.ts";

/** Uses of one poll: each abandoned attempt leaves a thread behind, in libvirtd too. */
const ATTEMPTS = 3;

/** Time on top of POLL_MONITOR_SECONDS for each domain, in seconds (field-notes 3.2). */
const SECONDS_A_DOMAIN = 0.01;

const STATE_NAME = "quarantine";

/** A VM whose QEMU did not answer, until when (wall clock, ms) it is left alone, and the start of its process. */
type Quarantine = Readonly<Record<string, { readonly until: number; readonly start: number }>>;

export interface BlockSources {
  readonly hypervisor: Hypervisor;
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
  const before = stillValid(asQuarantine(state.read(STATE_NAME)), qemu, clock.nowMs(), sources.quarantineSeconds);
  const silent = domains.filter(({ uuid }) => isStopped(qemu.get(uuid)) || before[uuid]);
  const asked = domains.filter((domain) => !silent.includes(domain));
  const { found, timeouts } = await readWithRetries({ domains: asked, areAll: areAll && silent.length === 0 }, sources, deadline);
  const stuck = timeouts > 0 ? asked.filter(({ uuid }) => !found.has(uuid)) : [];
  for (const { name } of [...silent, ...stuck]) log.log("WARN", `QEMU of "${name}" does not answer: its disk counters are left out`);
  if (stuck.length > 0 || Object.keys(before).length > 0) remember(STATE_NAME, { ...before, ...quarantineOf(stuck, qemu, sources) }, sources);
  return found;
}

async function readWithRetries({ domains, areAll }: Wanted, { hypervisor, log, attemptSeconds }: BlockSources, deadline: Deadline) {
  const uuids = areAll ? undefined : domains.map(({ uuid }) => uuid);
  const seconds = attemptSeconds + domains.length * SECONDS_A_DOMAIN;
  let timeouts = 0;
  for (; domains.length > 0 && timeouts < ATTEMPTS && !deadline.expired; timeouts++) {
    try {
      return { found: answered(await hypervisor.stats(["block"], uuids, deadline.within(seconds))), timeouts };
    } catch (error) {
      if (!hasCode(error, "TIMED_OUT")) {
        log.log("WARN", `Disk counters are left out: ${messageOf(error)}`);
        return { found: new Map<string, StatsFields>(), timeouts: 0 };
      }
    }
  }
  if (domains.length > 0 && timeouts === 0) log.log("WARN", "Disk counters are left out: no time is left to ask for them");
  return { found: new Map<string, StatsFields>(), timeouts };
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

function quarantineOf(stuck: readonly NamedDomain[], qemu: ReadonlyMap<string, QemuProcess>, { clock, quarantineSeconds }: BlockSources): Quarantine {
  const until = clock.nowMs() + quarantineSeconds * 1000;
  return Object.fromEntries(stuck.map(({ uuid }) => [uuid, { until, start: qemu.get(uuid)?.startTicks ?? 0 }]));
}

/** Entries whose time has not come and whose process is still the same. One that ends later than a new one would is of a clock that has gone back. */
function stillValid(quarantine: Quarantine, qemu: ReadonlyMap<string, QemuProcess>, now: number, quarantineSeconds: number): Quarantine {
  return Object.fromEntries(Object.entries(quarantine).filter(([uuid, { until, start }]) => until > now && until <= now + quarantineSeconds * 1000 && (qemu.get(uuid)?.startTicks ?? 0) === start));
}

function asQuarantine(value: unknown): Quarantine {
  return typeof value === "object" && value !== null ? (value as Quarantine) : {};
}
