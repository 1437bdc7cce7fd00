import type { Clock, Log, ProcessTable, QemuProcess, StateStore } from "../core/ports.ts";
import { remember } from "./remember.ts";

/** CPU counters of all QEMU processes at one moment. */
interface Sample {
  /** Wall clock, milliseconds. */
  readonly at: number;
  /** Ticks of all processors together since boot. */
  readonly total: number;
  /** By UUID: which process it was, and its ticks. */
  readonly processes: Readonly<Record<string, { readonly start: number; readonly ticks: number }>>;
}

/** Two samples, so that polls that follow each other quickly still have one to compare with that is old enough. */
interface Samples {
  readonly newer: Sample;
  readonly older?: Sample;
}

const STATE_NAME = "poll-cpu";
const SHORTEST_MS = 1000;
const LONGEST_MS = 15 * 60 * 1000;

export interface CpuSources {
  readonly processes: ProcessTable;
  readonly state: StateStore;
  readonly clock: Clock;
  readonly log: Log;
}

export interface CpuUsage {
  /** Percent of one processor, by UUID. */
  readonly percent: ReadonlyMap<string, number>;
  /** The processes that were seen, by UUID. */
  readonly qemu: ReadonlyMap<string, QemuProcess>;
}

/**
 * Percent of one processor that each QEMU has used since an earlier poll, by UUID; upstream's formula (actions.md 15.2). Without a
 * usable earlier sample it takes one now and waits a second: never "since boot".
 */
export async function cpuUsage(sources: CpuSources): Promise<CpuUsage> {
  const { processes, state, clock } = sources;
  const stored = asSamples(state.read(STATE_NAME));
  const first = take(processes, clock);
  const base = usable(stored, first.sample);
  if (base) return finish(base, first, stored, sources);
  await clock.sleep(SHORTEST_MS);
  return finish(first.sample, take(processes, clock), { newer: first.sample }, sources);
}

interface Taken {
  readonly sample: Sample;
  readonly qemu: ReadonlyMap<string, QemuProcess>;
  readonly processors: number;
}

function take(processes: ProcessTable, clock: Clock): Taken {
  const { ticks, processors } = processes.cpuTotal();
  const qemu = processes.qemu();
  const counters = [...qemu].map(([uuid, { startTicks, cpuTicks }]) => [uuid, { start: startTicks, ticks: cpuTicks }]);
  return { sample: { at: clock.nowMs(), total: ticks, processes: Object.fromEntries(counters) }, qemu, processors };
}

/** The newest stored sample that is old enough, of the same boot, and knows every process that was there when it was taken. */
function usable(stored: Samples | undefined, now: Sample): Sample | undefined {
  const candidates = stored ? [stored.newer, stored.older] : [];
  return candidates.find((sample): sample is Sample => {
    const age = sample ? now.at - sample.at : 0;
    return sample !== undefined && age >= SHORTEST_MS && age <= LONGEST_MS && now.total > sample.total;
  });
}

function finish(base: Sample, { sample: now, qemu, processors }: Taken, stored: Samples | undefined, sources: CpuSources): CpuUsage {
  const elapsed = now.total - base.total;
  const percent = new Map((elapsed > 0 ? [...qemu] : []).map(([uuid, { cpuTicks, startTicks }]) => {
    const before = base.processes[uuid];
    // A process that the earlier sample does not hold has started since: all its ticks fall into the interval.
    const used = cpuTicks - (before?.start === startTicks ? before.ticks : 0);
    return [uuid, Math.max(0, (used / elapsed) * processors * 100)];
  }));
  const age = stored ? now.at - stored.newer.at : Infinity;
  const old = age < 0 || age >= SHORTEST_MS; // the clock may have gone back
  if (old) remember(STATE_NAME, { newer: now, ...(stored ? { older: stored.newer } : {}) } satisfies Samples, sources);
  return { percent, qemu };
}

/** The state file is ours, but may be of another version, or cut. */
function asSamples(value: unknown): Samples | undefined {
  const { newer, older } = (value ?? {}) as Partial<Samples>;
  if (!isSample(newer)) return undefined;
  return { newer, ...(isSample(older) ? { older } : {}) };
}

function isSample(value: Sample | undefined): value is Sample {
  return typeof value?.at === "number" && typeof value.total === "number" && typeof value.processes === "object" && value.processes !== null;
}
