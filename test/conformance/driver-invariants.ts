import type { Replay } from "./driver-replay.ts";
import { documentOf, isAction, isEndedInFlight, requestIds, requestsOf } from "./driver-requests.ts";
import type { Request } from "./driver-requests.ts";
import type { Scenario } from "./driver-scenario.ts";

/** What a replay does that no driver may, whatever was recorded (driver-protocol.md 2, 3.2, 18.1, 18.16); empty when all is well. */
export function violations(scenario: Scenario, replay: Replay): readonly string[] {
  const starts = scenario.stdout.length > 0;
  const begin = starts ? /^INIT SUCCESS - -$/ : /^INIT FAILURE - ./;
  return [
    ...(begin.test(replay.lines[0] ?? "") ? [] : [`begins with ${JSON.stringify(replay.lines[0])}`]),
    ...replay.lines.slice(1).filter((line) => !isWellFramed(line, scenario)).map((line) => `badly framed: ${JSON.stringify(line)}`),
    ...(starts ? [...badlyAnswered(scenario, replay), ...wronglyGranted(scenario, replay)] : []),
    ...(replay.status === (starts ? 0 : 255) ? [] : [`exit status ${replay.status}`]),
    ...replay.left.map((line) => `left behind: ${line}`),
  ];
}

/** A line as oned reads it, about something that was asked. */
function isWellFramed(line: string, scenario: Scenario): boolean {
  if (/[\r\0]/.test(line)) return false;
  if (line === "INIT SUCCESS - -") return scenario.stdin.filter((each) => /^init\b/i.test(each)).length > 1;
  const [, log, word = "", id = ""] = /^(?:LOG ([EWID])|([A-Z_]+) (?:SUCCESS|FAILURE)) (\S+) /.exec(line) ?? [];
  if (log !== undefined) return id === "-1" || requestIds(scenario).includes(id);
  return isAction(word) && requestIds(scenario).includes(id);
}

/** Requests with another number of results than one each: none when cancelled, none or one when FINALIZE finds them. */
function badlyAnswered(scenario: Scenario, { lines }: Replay): readonly string[] {
  const requests = requestsOf(scenario);
  const keys = [...new Set(requests.map(keyOf))];
  const inFlight = isEndedInFlight(scenario);
  return keys.flatMap((key) => {
    const asked = requests.filter((request) => keyOf(request) === key);
    const most = asked.filter(({ fate }) => fate !== "cancelled").length;
    const least = inFlight ? asked.filter(({ fate }) => fate === "answered" || fate === "refused").length : most;
    const found = lines.filter((line) => new RegExp(`^${key.replace(" ", " (?:SUCCESS|FAILURE) ")} `).test(line)).length;
    return found < least || found > most ? [`${found} results for ${key}, not ${least === most ? least : `${least} to ${most}`}`] : [];
  });
}

/** Successes of requests that cannot be read: another form, or no document of an action (driver-protocol.md 3.1). */
function wronglyGranted(scenario: Scenario, { lines }: Replay): readonly string[] {
  const unreadable = requestsOf(scenario).filter(({ fate, line }) => fate === "refused" || (fate === "silent" && !documentOf(line).includes("<VMM_DRIVER_ACTION_DATA>")));
  return unreadable.filter(({ action, id }) => lines.some((each) => each.startsWith(`${action} SUCCESS ${id} `))).map((request) => `cannot be read, and succeeds: ${keyOf(request)}`);
}

function keyOf({ action, id }: Request): string {
  return `${action} ${id}`;
}
