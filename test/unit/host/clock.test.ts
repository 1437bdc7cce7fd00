import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../src/host/clock.ts";

test("monotonicMs() goes on from one process to the next: what is kept in files is compared with it", () => {
  const before = systemClock.monotonicMs();
  const { stdout } = Bun.spawnSync([process.execPath, "-e", `console.log((await import(${JSON.stringify(join(import.meta.dir, "../../../src/host/clock.ts"))})).systemClock.monotonicMs())`]);
  const inBetween = Number(stdout.toString());
  const uptime = Number.parseFloat(readFileSync("/proc/uptime", "latin1")) * 1000;
  expect([inBetween > before, inBetween < uptime + 20, systemClock.monotonicMs() > inBetween - 20]).toEqual([true, true, true]); // /proc/uptime counts in steps of 10 ms
});
