import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ScriptCall } from "../fixtures/driver-world.ts";
import { DIVERGENCES, KNOWN_DEFECTS } from "./driver-divergences.ts";
import { firstMessage, replay } from "./driver-replay.ts";
import type { Replay } from "./driver-replay.ts";
import { addedCleanUps, comparable, expectedLines, requestIds } from "./driver-rules.ts";
import type { Rule } from "./driver-rules.ts";
import { goldenFolder, scenariosOf, strangeLayout } from "./driver-scenario.ts";
import type { Scenario } from "./driver-scenario.ts";

// Replays recorded conversations of upstream's driver (driver-protocol.md, golden recordings). Any folder of the same layout will do:
//   ONEVIRT_GOLDEN=FOLDER bun test test/conformance/driver.test.ts
const folder = goldenFolder(process.env.ONEVIRT_GOLDEN ?? `${import.meta.dir}/../../../shared/golden`);
const all = folder ? scenariosOf(folder) : [];
/** `defect-` recordings show what must not happen: test/driver/defects.test.ts. */
const scenarios = all.filter(({ name }) => !name.startsWith("defect-"));
const AT_ONCE = 4;

const replays = new Map<string, Replay | Error>();

beforeAll(async () => {
  const waiting = [...scenarios];
  const work = async (): Promise<void> => {
    for (let scenario = waiting.shift(); scenario; scenario = waiting.shift()) {
      replays.set(scenario.name, await replay(scenario).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}, 600_000);

afterAll(() => console.log(`driver conformance: ${replays.size} scenarios of ${all.length} ran (${all.length - scenarios.length} record defects)`));

test("there are recordings to replay", () => {
  if (process.env.CI || process.env.ONEVIRT_GOLDEN) expect(scenarios.length).toBeGreaterThan(0);
});

test("every recording is complete and understood", () => {
  expect(folder ? strangeLayout(folder) : []).toEqual([]);
});

test("each recorded defect has a test that shows it absent", async () => {
  const tests = await Bun.file(`${import.meta.dir}/../driver/defects.test.ts`).text();
  expect(KNOWN_DEFECTS.filter((name) => !tests.includes(name))).toEqual([]);
  const strangers = all.map(({ name }) => name).filter((name) => name.startsWith("defect-") && !KNOWN_DEFECTS.includes(name));
  if (strangers.length > 0) console.log(`recorded defects without a test of their own: ${strangers.join(", ")}`);
});

describe.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", (name, scenario) => {
  test("says to oned what was recorded", () => {
    const { lines } = expectation(scenario);
    expect(ordered(comparable(replayOf(name).lines), scenario)).toEqual(ordered(lines, scenario));
  });

  test("calls the recorded scripts", () => {
    const { calls } = expectation(scenario);
    expect(grouped(replayOf(name).calls, scenario)).toEqual(grouped(calls, scenario));
  });

  test("opens the recorded connections and ends well", () => {
    const { connections, status } = replayOf(name);
    expect({ status, forwarding: forwarded(connections) }).toEqual({ status: scenario.stdout.length > 0 ? 0 : 255, forwarding: scenario.forwarding.toSorted() });
  });

  test("differs only where the table of divergences says so", () => {
    const { used } = expectation(scenario);
    if (name in DIVERGENCES) expect([...used].toSorted()).toEqual([...(DIVERGENCES[name] ?? [])].toSorted());
    else console.log(`${name} is not in the table of divergences; rules used: ${[...used].join(", ") || "none"}`);
  });
});

function replayOf(name: string): Replay {
  const found = replays.get(name);
  if (!found || found instanceof Error) throw found ?? new Error(`${name} did not run`);
  return found;
}

interface Expected {
  readonly lines: readonly string[];
  readonly calls: readonly ScriptCall[];
  readonly used: ReadonlySet<Rule>;
}

/** The recording, changed by the rules; the clean-ups of 18.15 are taken from the replay, where they must be, in their place. */
function expectation(scenario: Scenario): Expected {
  const { lines, used } = expectedLines(scenario);
  const added = addedCleanUps(scenario, firstMessage(scenario));
  if (added.calls.length > 0) used.add("cleanUps").add("cleanUpLines");
  const actual = replayOf(scenario.name);
  return { lines: withAdded(lines, added.lines, actual.lines, (line) => line), calls: withAdded(scenario.calls, added.calls, actual.calls, callName), used };
}

function callName({ host, path }: ScriptCall): string {
  return `${host} ${path.replace(/^\/var\/(?:lib\/one\/remotes|tmp\/one)\//, "")}`;
}

/** `recorded` with each item of `added` put where `actual` has it, once; what `actual` lacks is put at the end, and so fails. */
function withAdded<T>(recorded: readonly T[], added: readonly string[], actual: readonly T[], nameOf: (item: T) => string): readonly T[] {
  const result = [...recorded];
  for (const name of added) {
    const at = actual.findIndex((item, index) => nameOf(item) === name && (result[index] === undefined || nameOf(result[index]) !== name));
    const item = actual[at];
    if (item === undefined) result.push(name as T);
    else result.splice(at, 0, item);
  }
  return result;
}

/** The order of lines is fixed within one action only. */
function ordered(lines: readonly string[], scenario: Scenario): readonly string[] {
  const ids = requestIds(scenario);
  if (ids.length < 2) return lines;
  const idOf = (line: string): string => line.split(" ")[2] ?? "";
  return [...lines.slice(0, 1), ...lines.slice(1).toSorted((one, other) => idOf(one).localeCompare(idOf(other)))];
}

function grouped(calls: readonly ScriptCall[], scenario: Scenario): readonly ScriptCall[] {
  return requestIds(scenario).length < 2 ? calls : calls.toSorted((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)));
}

/** Hosts that got the agent along. */
function forwarded(connections: readonly (readonly string[])[]): readonly string[] {
  return connections.filter((words) => words.includes("ForwardAgent=yes")).map((words) => words.at(-3) ?? "").toSorted();
}
