import type { ScriptCall } from "../fixtures/driver-world.ts";
import { addedCleanUps } from "./driver-clean-ups.ts";
import type { Replay } from "./driver-replay.ts";
import { idOf, requestIds, requestsOf } from "./driver-requests.ts";
import { RULES, comparable, expectedLines } from "./driver-rules.ts";
import type { Rule } from "./driver-rules.ts";
import type { Scenario } from "./driver-scenario.ts";

interface Told {
  readonly lines: readonly string[];
  readonly calls: readonly ScriptCall[];
}

/** The recording as the rules change it, and the replay, both in an order in which they can be equal. */
export interface Compared extends Told {
  readonly actual: Told;
  readonly used: ReadonlySet<Rule>;
}

/** The clean-ups of 18.15 are taken from the replay, where they must be, in their place. */
export function compared(scenario: Scenario, replay: Pick<Replay, "lines" | "calls">): Compared {
  const { lines, used } = expectedLines(scenario);
  const added = addedCleanUps(scenario);
  if (added.lines.length > 0) used.add("cleanUpLines");
  if (added.calls.length > 0) used.add("cleanUps");
  const actual = actualOf(scenario, replay, used);
  return {
    actual, used,
    lines: withAdded(ordered(heard(lines, scenario), scenario), added.lines, actual.lines, (line) => line),
    calls: withAdded(grouped(scenario.calls, scenario), added.calls, actual.calls, callName),
  };
}

/** The replay without what nobody recorded: upstream was silent about some requests, ours go on (18.1). */
function actualOf(scenario: Scenario, replay: Pick<Replay, "lines" | "calls">, used: Set<Rule>): Told {
  const lines = ordered(heard(comparable(replay.lines), scenario), scenario);
  const calls = grouped(replay.calls, scenario);
  if (silentIds(scenario).size === 0) return { lines, calls };
  used.add("answeredAlways");
  const recorded = new Set(scenario.calls.map((call) => JSON.stringify(call)));
  return { lines, calls: calls.filter((call) => recorded.has(JSON.stringify(call))) };
}

/** Lines about requests that upstream answered. */
function heard(lines: readonly string[], scenario: Scenario): readonly string[] {
  const silent = silentIds(scenario);
  return lines.filter((line) => !silent.has(idOf(line)));
}

function silentIds(scenario: Scenario): ReadonlySet<string> {
  return new Set(requestsOf(scenario).filter(({ fate }) => fate === "silent").map(({ id }) => id));
}

function callName({ host, path }: ScriptCall): string {
  return `${host} ${path.replace(/^\/var\/(?:lib\/one\/remotes|tmp\/one)\//, "")}`;
}

/** `recorded` with each item of `added` put where `actual` has it, once; what `actual` lacks is put at the end, and so fails. */
function withAdded<T>(recorded: readonly T[], added: readonly string[], actual: readonly T[], nameOf: (item: T) => string): readonly T[] {
  const result = [...recorded];
  for (const name of added) {
    const at = actual.findIndex((item, index) => nameOf(item) === name && JSON.stringify(result[index]) !== JSON.stringify(item));
    const item = actual[at];
    if (item === undefined) result.push(name as T);
    else result.splice(at, 0, item);
  }
  return result;
}

/** The order of lines is fixed within one action only. */
function ordered(lines: readonly string[], scenario: Scenario): readonly string[] {
  if (requestIds(scenario).length < 2) return lines;
  return [...lines.slice(0, 1), ...lines.slice(1).toSorted((one, other) => idOf(one).localeCompare(idOf(other)))];
}

function grouped(calls: readonly ScriptCall[], scenario: Scenario): readonly ScriptCall[] {
  return requestIds(scenario).length < 2 ? calls : calls.toSorted((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)));
}

/** Lines that only the recording or only the replay has, and that no rule which was used may touch. */
export function unexplained(scenario: Scenario, { lines }: Pick<Replay, "lines">, used: readonly Rule[]): readonly string[] {
  const differing = [...without(scenario.stdout, lines), ...without(lines, scenario.stdout)];
  return differing.filter((line) => !used.some((rule) => RULES[rule].touches.test(line)));
}

/** Lines of one list that are not in the other, as often as they are there too many. */
function without(lines: readonly string[], others: readonly string[]): readonly string[] {
  const left = [...others];
  return lines.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
