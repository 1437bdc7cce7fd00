import { readFileSync } from "node:fs";

/** One line of the report: what was measured, against what, and the promise it holds. */
export interface Row {
  readonly area: string;
  readonly name: string;
  readonly medianMs: number;
  readonly cpuMs?: number;
  readonly against?: string;
  readonly ratio?: number;
  /** Half of the interval in which the ratio lies with 90 %. */
  readonly spread?: number;
  /** The ratio that SPECIFICATION.md promises. */
  readonly promised?: number | undefined;
  /** The same of the processor that the processes themselves took; what libvirt's daemon and QEMU do for them is not in it. */
  readonly cpuRatio?: number;
  readonly promisedCpu?: number | undefined;
}

/** A command, and the one it is compared with. */
export interface Contest {
  readonly name: string;
  readonly command: readonly string[];
  readonly against: { readonly name: string; readonly command: readonly string[] };
  readonly promised?: number | undefined;
  readonly promisedCpu?: number | undefined;
  /** What must be done before each of both, and is not measured. */
  readonly before?: readonly string[];
  /** Where each is so long that fewer rounds must do. */
  readonly rounds?: number;
}

interface Measured {
  readonly ms: number;
  readonly cpuMs: number;
}

const SAMPLES = 1000;

/** Hundredths of a second of all processors together in one second; a hundred guests that have halted take some. */
const RESTING_TICKS = 40;

/** Runs both commands of each contest in turn, now one first and now the other, so that the noise of the machine falls on both alike; the first rounds do not count. */
export function compete(area: string, contests: readonly Contest[], usualRounds: number): readonly Row[] {
  return contests.flatMap(({ name, command, against, promised, promisedCpu, before, rounds = usualRounds }) => {
    const ours: Measured[] = [];
    const theirs: Measured[] = [];
    const run = (words: readonly string[], times: Measured[], round: number) => {
      if (before) measure(before);
      const time = measure(words);
      if (round >= 0) times.push(time);
    };
    for (let round = -2; round < rounds; round++) {
      const both = [() => run(command, ours, round), () => run(against.command, theirs, round)];
      for (const one of round % 2 === 0 ? both : both.reverse()) one();
    }
    const [mine, other] = [middle(ours), middle(theirs)];
    return [
      { area, name: against.name, medianMs: other.ms, cpuMs: other.cpuMs },
      { area, name, medianMs: mine.ms, cpuMs: mine.cpuMs, against: against.name, ratio: mine.ms / other.ms, spread: spreadOf(ours, theirs), cpuRatio: mine.cpuMs / other.cpuMs, promised, promisedCpu },
    ];
  });
}

/** Times a whole process; a failure would measure nothing and ends the bench. */
export function measure(command: readonly string[]): Measured {
  const start = performance.now();
  const { exitCode, stderr, resourceUsage } = Bun.spawnSync([...command], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const ms = performance.now() - start;
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}: ${stderr}`);
  return { ms, cpuMs: Number(resourceUsage?.cpuTime.total ?? 0) / 1000 };
}

/** The median. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function middle(all: readonly Measured[]): Measured {
  return { ms: median(all.map(({ ms }) => ms)), cpuMs: median(all.map(({ cpuMs }) => cpuMs)) };
}

/** How far the ratio of two medians may be from the true one: half of the middle 90 % of what samples of the samples give. */
function spreadOf(ours: readonly Measured[], theirs: readonly Measured[]): number {
  const sample = (all: readonly Measured[]) => median(all.map(() => all[Math.floor(Math.random() * all.length)]?.ms ?? Number.NaN));
  const ratios = Array.from({ length: SAMPLES }, () => sample(ours) / sample(theirs)).sort((a, b) => a - b);
  return ((ratios[SAMPLES * 0.95] ?? Number.NaN) - (ratios[SAMPLES * 0.05] ?? Number.NaN)) / 2;
}

/** The report as text. */
export function asTable(rows: readonly Row[]): string {
  const lines = rows.map(({ area, name, medianMs, cpuMs, against, ratio, spread, promised, cpuRatio, promisedCpu }) => [
    area, name, `${medianMs.toFixed(1)} ms`, cpuMs === undefined ? "" : `${cpuMs.toFixed(1)} ms CPU`,
    ratio === undefined ? "" : `${ratio.toFixed(2)}${spread === undefined ? "" : ` ± ${spread.toFixed(2)}`}${cpuRatio === undefined ? "" : ` (CPU ${cpuRatio.toFixed(2)})`} x ${against}`, promises(ratio, promised, "", spread) + promises(cpuRatio, promisedCpu, "CPU "),
  ]);
  const widths = [0, 1, 2, 3, 4, 5].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()).join("\n");
}

/** Held, missed, or as near as the noise of this run lets it be told. */
function promises(ratio: number | undefined, promised: number | undefined, of: string, spread = 0): string {
  if (ratio === undefined || promised === undefined) return "";
  const verdict = ratio <= promised ? "" : ratio - spread <= promised ? "  (within the noise)" : "  MISSED";
  return `promised ${of}${promised}${verdict}  `;
}

/** Waits until the machine has had a second of rest, at most a minute: whoever has just been started would be measured too. */
export function rest(): void {
  const busy = () => {
    const [user = 0, nice = 0, system = 0] = /^cpu +(.*)/.exec(readFileSync("/proc/stat", "latin1"))?.[1]?.split(" ").map(Number) ?? [];
    return user + nice + system;
  };
  for (const end = performance.now() + 60_000; performance.now() < end; ) {
    const before = busy();
    Bun.sleepSync(1000);
    if (busy() - before < RESTING_TICKS) return;
  }
}
