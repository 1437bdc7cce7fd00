import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DIVERGENCES, KNOWN_DEFECTS } from "./driver-divergences.ts";
import { compared, unexplained } from "./driver-expectation.ts";
import type { Compared } from "./driver-expectation.ts";
import { violations } from "./driver-invariants.ts";
import { replay } from "./driver-replay.ts";
import type { Replay } from "./driver-replay.ts";
import { goldenFolder, scenariosOf, strangeLayout } from "./driver-scenario.ts";
import type { Scenario } from "./driver-scenario.ts";

// Replays recorded conversations of upstream's driver (driver-protocol.md, golden recordings). Any folder of the same layout will do:
//   ONEVIRT_GOLDEN=FOLDER bun test test/conformance/driver.test.ts
const folder = goldenFolder(process.env.ONEVIRT_GOLDEN ?? `${import.meta.dir}/../../../shared/golden`);
const all = folder ? scenariosOf(folder) : [];
/** `defect-` recordings show what must not happen (test/driver/defects.test.ts): of them only what always holds is asked. */
const scenarios = all.filter(({ name }) => !name.startsWith("defect-"));
const AT_ONCE = 4;

const replays = new Map<string, Replay | Error>();

beforeAll(async () => {
  const waiting = [...all];
  const work = async (): Promise<void> => {
    for (let scenario = waiting.shift(); scenario; scenario = waiting.shift()) {
      replays.set(scenario.name, await replay(scenario).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}, 600_000);

afterAll(() => console.log(`driver conformance: ${replays.size} scenarios of ${all.length} ran (${all.length - scenarios.length} record defects, of which only what always holds is asked)`));

test("there are recordings to replay", () => {
  if (process.env.CI || process.env.ONEVIRT_GOLDEN) expect(scenarios.length).toBeGreaterThan(0);
});

test("every recording is complete and understood", () => {
  expect(folder ? strangeLayout(folder) : []).toEqual([]);
});

test("each recorded defect has a test that shows it absent", async () => {
  const tests = await Bun.file(`${import.meta.dir}/../driver/defects.test.ts`).text();
  expect(KNOWN_DEFECTS.filter((name) => !tests.includes(name))).toEqual([]);
});

describe.each(all.map((scenario) => [scenario.name, scenario] as const))("%s", (name, scenario) => {
  test("is answered as any conversation must be", () => {
    expect(violations(scenario, replayOf(name))).toEqual([]);
  });
});

describe.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", (name, scenario) => {
  test("says to oned what was recorded", () => {
    const { lines, actual } = expectation(scenario);
    expect(actual.lines).toEqual(lines);
  });

  test("calls the recorded scripts", () => {
    const { calls, actual } = expectation(scenario);
    expect(actual.calls).toEqual(calls);
  });

  test("opens the recorded connections", () => {
    expect(forwarded(replayOf(name).connections)).toEqual(scenario.forwarding.toSorted());
  });

  test("differs only where the rules and the table of divergences say so", () => {
    const { used } = expectation(scenario);
    if (name in DIVERGENCES) expect([...used].toSorted()).toEqual([...(DIVERGENCES[name] ?? [])].toSorted());
    expect(unexplained(scenario, replayOf(name), [...used])).toEqual([]);
  });
});

function replayOf(name: string): Replay {
  const found = replays.get(name);
  if (!found || found instanceof Error) throw found ?? new Error(`${name} did not run`);
  return found;
}

function expectation(scenario: Scenario): Compared {
  return compared(scenario, replayOf(scenario.name));
}

/** Hosts that got the agent along. */
function forwarded(connections: readonly (readonly string[])[]): readonly string[] {
  return connections.filter((words) => words.includes("ForwardAgent=yes")).map((words) => words.at(-3) ?? "").toSorted();
}
