import { readFileSync } from "node:fs";
import type { Clock } from "../core/ports.ts";

/** The machine's clocks. */
export const systemClock: Clock = {
  monotonicMs: () => (bootMs ??= uptimeMs() - performance.now()) + performance.now(),
  nowMs: () => Date.now(),
  sleep: (ms) => Bun.sleep(ms),
};

/** From the machine's start to that of this process: the runtime's own clock begins anew with each process, and times are kept in files. */
let bootMs: number | undefined;

/** Without /proc times are comparable within this process only. */
function uptimeMs(): number {
  try {
    return Number.parseFloat(readFileSync("/proc/uptime", "latin1")) * 1000;
  } catch {
    return performance.now();
  }
}
