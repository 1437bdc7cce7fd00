import { LAST_SECONDS, NOTICE_SECONDS } from "./limits.ts";
import type { CommandOutcome, RunningCommand } from "./local-command.ts";
import type { Timers } from "./ports.ts";

/** What is watched while a command runs. */
export interface Watch {
  /** Undefined: no limit. */
  readonly limitSeconds: number | undefined;
  /** The action was cancelled, or the driver ends. */
  readonly signal: AbortSignal;
  /** Seconds from TERM to KILL, when it comes to that. */
  readonly graceSeconds: () => number;
  /** Called after 30 s, then after ever longer times. */
  readonly notice: (seconds: number) => void;
}

export type Ended = { readonly why: "finished"; readonly outcome: CommandOutcome } | { readonly why: "limit" | "signal"; readonly outcome: CommandOutcome | undefined };

/** Waits for a command, and ends it when its time is over or nobody wants it any more: TERM, grace, KILL, and then nobody waits (driver-protocol.md 18.10). */
export async function supervise(running: RunningCommand, watch: Watch, timers: Timers): Promise<Ended> {
  const callOff: (() => void)[] = [noticing(watch.notice, timers)];
  try {
    const reason = Promise.withResolvers<"limit" | "signal">();
    if (watch.limitSeconds !== undefined) callOff.push(afterSeconds(timers, watch.limitSeconds, () => reason.resolve("limit")));
    callOff.push(onAbort(watch.signal, () => reason.resolve("signal")));
    const first = await Promise.race([running.finished, reason.promise]);
    if (typeof first !== "string") return { why: "finished", outcome: first };
    return { why: first, outcome: await end(running, watch.graceSeconds(), timers) };
  } finally {
    for (const stop of callOff) stop();
  }
}

async function end(running: RunningCommand, graceSeconds: number, timers: Timers): Promise<CommandOutcome | undefined> {
  for (const [act, seconds] of [[running.terminate, graceSeconds], [running.kill, LAST_SECONDS]] as const) {
    act();
    const outcome = await within(running.finished, seconds, timers);
    if (outcome) return running.sweep(), outcome;
  }
  running.abandon();
  return undefined;
}

async function within<T>(work: Promise<T>, seconds: number, timers: Timers): Promise<T | undefined> {
  const over = Promise.withResolvers<undefined>();
  const stop = afterSeconds(timers, seconds, () => over.resolve(undefined));
  try {
    return await Promise.race([work, over.promise]);
  } finally {
    stop();
  }
}

/** Calls `notice` when something takes 30 s, then after ever longer times; the result stops that. */
export function noticing(notice: (seconds: number) => void, timers: Timers): () => void {
  let seconds = NOTICE_SECONDS;
  const again = (): void => {
    notice(seconds);
    const wait = seconds * 3;
    seconds += wait;
    stop = afterSeconds(timers, wait, again);
  };
  let stop = afterSeconds(timers, seconds, again);
  return () => stop();
}

/** Longer than a timer can be is cut into pieces: 2^31 ms are 24 days, the limits stay below. */
function afterSeconds(timers: Timers, seconds: number, run: () => void): () => void {
  return timers.after(Math.min(seconds * 1000, 2 ** 31 - 1), run);
}

function onAbort(signal: AbortSignal, run: () => void): () => void {
  if (signal.aborted) run();
  signal.addEventListener("abort", run, { once: true });
  return () => signal.removeEventListener("abort", run);
}
