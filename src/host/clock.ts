import type { Clock } from "../core/ports.ts";

/** The machine's clocks. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  nowMs: () => Date.now(),
  sleep: (ms) => Bun.sleep(ms),
};
