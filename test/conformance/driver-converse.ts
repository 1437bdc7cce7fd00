import type { DriverProcess } from "../fixtures/driver-process.ts";
import type { DriverWorld, ScriptCall } from "../fixtures/driver-world.ts";
import type { PathMap } from "./driver-paths.ts";
import { cancelledId, finalizeAt, idOf, isEndedInFlight, isResult, requestsOf, slowCalls } from "./driver-requests.ts";
import type { Scenario } from "./driver-scenario.ts";

/** Longest wait for anything of a recorded conversation, in seconds: recorded ones take a few, a busy machine takes its time. */
const PATIENCE = 60;

/** Says the recorded lines: everything at once, but a cancel when that runs which is cancelled, and the end when the answers are there. */
export async function converse(driver: DriverProcess, world: DriverWorld, scenario: Scenario, paths: PathMap): Promise<void> {
  const end = finalizeAt(scenario);
  for (const line of scenario.stdin.slice(0, end)) {
    const cancelled = cancelledId(line);
    if (cancelled !== undefined) await untilAsRecorded(cancelled, driver, world, scenario);
    driver.send(`${paths.request(line)}\n`);
    if (line === "INIT") await driver.until("the answer to INIT", (lines) => lines.length > 0, PATIENCE);
  }
  const inFlight = isEndedInFlight(scenario);
  await (inFlight ? untilSlow(driver, world, scenario) : driver.waitForResults(awaitedResults(scenario), PATIENCE));
  for (const line of scenario.stdin.slice(end)) driver.send(`${paths.request(line)}\n`);
  if (!inFlight || end === scenario.stdin.length) driver.endInput();
}

/** Every request is answered but the cancelled ones (driver-protocol.md 18.1); a driver that cannot start answers none. */
function awaitedResults(scenario: Scenario): number {
  return scenario.stdout.length === 0 ? 0 : requestsOf(scenario).filter(({ fate }) => fate !== "cancelled").length;
}

/** Until the VM that is cancelled is where it was in the recording: answered, or with as many of its scripts begun; one that waited has begun none. */
async function untilAsRecorded(id: string, driver: DriverProcess, world: DriverWorld, scenario: Scenario): Promise<void> {
  const { results, calls } = beforeCancel(id, scenario);
  const ours = (): number => world.calls().filter((call) => isAbout(call, id, scenario)).length;
  await untilCalls(`${calls} calls and ${results} results of ${id}`, driver, () => ours() >= calls && driver.results().filter((line) => idOf(line) === id).length >= results);
}

/** What of a VM was recorded before its cancel. Only the scripts of a VM with one request are its scripts before the cancel for sure; else one must do. */
function beforeCancel(id: string, scenario: Scenario): { readonly results: number; readonly calls: number } {
  const said = scenario.stdout.slice(0, scenario.stdout.findIndex((line) => line === `LOG I ${id} Driver command for ${id} cancelled`) + 1);
  const begun = scenario.calls.filter((call) => isAbout(call, id, scenario)).length;
  const isAlone = requestsOf(scenario).filter((request) => request.id === id).length === 1;
  return { results: said.filter((line) => isResult(line) && idOf(line) === id).length, calls: isAlone ? begun : Math.min(begun, 1) };
}

/** Whether a call belongs to a VM: it is named in the arguments, or there is no other. */
function isAbout({ arguments: words }: ScriptCall, id: string, scenario: Scenario): boolean {
  return words.includes(id) || requestsOf(scenario).every((request) => request.id === id);
}

/** Until all scripts run that took their time in the recording, so that the end finds the last of them running. */
async function untilSlow(driver: DriverProcess, world: DriverWorld, scenario: Scenario): Promise<void> {
  const recorded = slowCalls(scenario.calls, scenario);
  await untilCalls(`${recorded} calls of scripts that take their time`, driver, () => slowCalls(world.calls(), scenario) >= recorded);
}

/** Waits in the pace of looking; fails with what there is when time is over. */
async function untilCalls(what: string, driver: DriverProcess, holds: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE * 1000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`Waited in vain for ${what}; lines so far:\n${driver.lines.join("\n")}`);
    await Bun.sleep(20);
  }
}
