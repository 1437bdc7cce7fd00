import { type CpuTimes, parseCpuList, parseCpuTimes } from "../codec/kernel-text.ts";
import type { Context } from "../core/ports.ts";
import { remember } from "./remember.ts";

const STATE_NAME = "host-cpu";
const SHORTEST_MS = 1000;
const LONGEST_MS = 15 * 60 * 1000;

/** Processors of the host times 100: those that are present, as `lscpu` counts them. */
export function totalCpu({ files, processes }: Pick<Context, "files" | "processes">): number {
  const present = parseCpuList(files.findText("/sys/devices/system/cpu/present") ?? "").length;
  return (present > 0 ? present : processes.cpuTotal().processors) * 100;
}

/**
 * Which share of the host's processor time was not used since an earlier pass, 0 to 1. A process that waits for a disk uses no
 * processor. Without a usable earlier sample a second is waited for. Undefined when the kernel does not tell.
 */
export async function idleShare(context: Pick<Context, "files" | "state" | "clock" | "log">): Promise<number | undefined> {
  const { state, clock } = context;
  const stored = asSample(state.read(STATE_NAME));
  const first = sample(context);
  if (!first) return undefined;
  if (stored && isUsable(stored, first)) return finish(stored, first, context);
  await clock.sleep(SHORTEST_MS);
  const second = sample(context);
  return second && finish(first, second, context);
}

interface Sample extends CpuTimes {
  /** Wall clock, ms. */
  readonly at: number;
}

function sample({ files, clock }: Pick<Context, "files" | "clock">): Sample | undefined {
  const times = parseCpuTimes(files.findText("/proc/stat") ?? "");
  return times && { ...times, at: clock.nowMs() };
}

function isUsable(before: Sample, now: Sample): boolean {
  const age = now.at - before.at;
  return age >= SHORTEST_MS && age <= LONGEST_MS && now.total > before.total;
}

function finish(before: Sample, now: Sample, { state, log }: Pick<Context, "state" | "log">): number | undefined {
  remember(STATE_NAME, now, { state, log });
  const elapsed = now.total - before.total;
  return elapsed > 0 ? Math.min(1, Math.max(0, now.idle - before.idle) / elapsed) : undefined;
}

function asSample(value: unknown): Sample | undefined {
  const { at, total, idle } = (value ?? {}) as Partial<Sample>;
  return typeof at === "number" && typeof total === "number" && typeof idle === "number" ? { at, total, idle } : undefined;
}
