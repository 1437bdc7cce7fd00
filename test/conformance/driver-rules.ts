import { isOld } from "./driver-front-end.ts";
import { finalizeAt, idOf, isAction, requestIds, requestsOf, wordsOf } from "./driver-requests.ts";
import type { Scenario, StubRule } from "./driver-scenario.ts";

/** A deliberate difference from the recordings: by which rule of the contract, and in which field. */
export interface Divergence {
  readonly field: "log" | "result" | "scripts";
  /** Section or row of driver-protocol.md. */
  readonly row: string;
  readonly what: string;
  /** The only lines that it may change, take away or add. */
  readonly touches: RegExp;
}

/** Every deliberate difference there is. A scenario's own list is in driver-divergences.ts. */
export const RULES = {
  exitCodeLines: { field: "log", row: "18.14", what: "no `ExitCode:` lines in the log", touches: /^LOG I \S+ Exit(?:SSH)?Code: -?\d+$/ },
  commandText: { field: "log", row: "9.4", what: "the framing around a failed command is ours: its script is named, not our shell text; no line for a missing script", touches: /^LOG I \S+ Command execution fail(?:ed)?\b/ },
  loggedOnce: { field: "log", row: "4", what: "each line is logged once, to the VM's own id, and WARN is known", touches: /^LOG [EWID] \S+ / },
  joinedText: { field: "result", row: "10", what: "lines of a failure are joined by a blank, without `ExitCode:` and `ExitSSHCode:`; without an error block 5.x gets them too", touches: /^[A-Z_]+ FAILURE \S+ / },
  timeoutText: { field: "result", row: "9.6", what: "the command inside `Timeout executing` is the script", touches: /Timeout executing |^LOG I \S+ Command execution failed/ },
  malformed: { field: "result", row: "3.1", what: "a request that cannot be read is answered, an unknown action is logged", touches: /^LOG W -1 |^[A-Z_]+ FAILURE \S+ / },
  refusedStart: { field: "result", row: "7", what: "a driver that cannot start says so", touches: /^INIT FAILURE - / },
  cleanUps: { field: "scripts", row: "18.15", what: "the missing clean-ups run", touches: /^$/ },
  cleanUpLines: { field: "log", row: "18.15", what: "and are logged", touches: /^LOG [EWID] \S+ / },
  answeredAlways: { field: "result", row: "18.1", what: "a request to which upstream said nothing is answered once, unless FINALIZE finds it", touches: /^LOG [EWID] \S+ |^[A-Z_]+ (?:SUCCESS|FAILURE) \S+ / },
} as const satisfies Record<string, Divergence>;

export type Rule = keyof typeof RULES;

/** What a scenario must show, and the rules that were needed to say so. */
export interface Expectation {
  readonly lines: readonly string[];
  readonly used: Set<Rule>;
}

/** The recorded output as our contract wants it. */
export function expectedLines(scenario: Scenario): Expectation {
  const used = new Set<Rule>();
  const steps: readonly ((lines: readonly string[]) => readonly string[])[] = [
    (lines) => keep(lines, used, "exitCodeLines", (line) => !/^LOG I \S+ Exit(?:SSH)?Code: -?\d+$/.test(line)),
    (lines) => keep(lines, used, "commandText", (line) => !/Command execution failed \(exit code: 42\): 'if \[ -x/.test(line)),
    (lines) => logOnce(lines, scenario, used),
    (lines) => change(lines, used, "commandText", commandText),
    (lines) => timeouts(change(lines, used, "timeoutText", timeoutText)),
    (lines) => change(lines, used, "joinedText", (line) => joined(line, scenario)),
    (lines) => answered(lines, scenario, used),
    (lines) => (lines.length > 0 ? lines : (used.add("refusedStart"), ["INIT FAILURE - <reason>"])),
  ];
  return { lines: steps.reduce((lines, step) => step(lines), scenario.stdout), used };
}

/** Our lines in the form that is compared. */
export function comparable(lines: readonly string[]): readonly string[] {
  return timeouts(lines.map(comparableLine));
}

function comparableLine(line: string): string {
  return timeoutText(commandText(line))
    .replace(/^INIT FAILURE - .*$/, "INIT FAILURE - <reason>")
    .replace(/^LOG W -1 Cannot run (\S+): .*$/, "LOG W -1 <reason about $1>")
    .replace(/^(\S+ FAILURE \S+) Cannot run \S+: expected an id and one message$/, "$1 <reason>");
}

function keep(lines: readonly string[], used: Set<Rule>, rule: Rule, wanted: (line: string) => boolean): readonly string[] {
  const kept = lines.filter(wanted);
  if (kept.length < lines.length) used.add(rule);
  return kept;
}

function change(lines: readonly string[], used: Set<Rule>, rule: Rule, by: (line: string) => string): readonly string[] {
  return lines.map((line) => {
    const changed = by(line);
    if (changed !== line) used.add(rule);
    return changed;
  });
}

/** `Command execution fail (exit code: 1): …` keeps its words, the code and the script. */
function commandText(line: string): string {
  const found = /^(LOG I \S+ Command execution fail(?:ed)?)(?: \(exit code: (-?\d+)\))?: .*?(\/(?:var|bin|tmp)\/[^\s"']+)/.exec(line);
  return found ? `${found[1] ?? ""} ${found[3] ?? ""}` : line;
}

function timeoutText(line: string): string {
  const found = /^(.*Timeout executing ).*?(\/(?:var|bin|tmp)\/[^\s"']+)/.exec(line);
  return found ? `${found[1] ?? ""}${found[2] ?? ""}` : line;
}

/** Of a command that took too long one line is compared: whether its status is logged too is not part of the contract. */
function timeouts(lines: readonly string[]): readonly string[] {
  const late = new Set(lines.filter((line) => line.includes("Timeout executing ")).map(idOf));
  const kept = lines.filter((line) => !late.has(idOf(line)) || !/^LOG \S \S+ Command execution failed/.test(line));
  return kept.filter((line, at) => !/^LOG \S \S+ Timeout executing /.test(line) || kept.indexOf(line) === at);
}

/** Upstream logs a line with a severity to its VM, and once more to oned or to the VM whose number it begins with. */
function logOnce(lines: readonly string[], scenario: Scenario, used: Set<Rule>): readonly string[] {
  const ids = requestIds(scenario);
  const kept: string[] = [];
  for (const [at, line] of lines.entries()) {
    const [, letter = "", id = "", text = ""] = /^LOG (\S) (\S+) (.*)$/.exec(line) ?? [];
    const said = id === "-1" ? text : `${id} ${text}`;
    const twin = letter === "" ? undefined : twinAmong(kept, ids, letter, said);
    if (twin === undefined && (letter === "" || ids.includes(id))) kept.push(line);
    else {
      used.add("loggedOnce");
      const owner = twin === undefined ? ownerOf(scenario, said, kept, lines.slice(at + 1)) : idOf(kept[twin] ?? "");
      kept.splice(twin ?? kept.length, twin === undefined ? 0 : 1, `LOG ${letter} ${owner} ${said}`);
    }
  }
  return kept;
}

/** Where the line stands that was logged to its VM before, the nearest one; `WARN:` was not understood there. */
function twinAmong(kept: readonly string[], ids: readonly string[], letter: string, said: string): number | undefined {
  const twins = new Set(ids.flatMap((id) => [`LOG ${letter} ${id} ${said}`, ...(letter === "W" ? [`LOG I ${id} WARN: ${said}`] : [])]));
  const at = kept.findLastIndex((line) => twins.has(line));
  return at < 0 ? undefined : at;
}

/** Whose script said it: a caller of a script that was told to, who has not said it yet; else whoever speaks next. */
function ownerOf(scenario: Scenario, said: string, kept: readonly string[], following: readonly string[]): string {
  const ids = requestIds(scenario);
  const scripts = scenario.stubs.filter(({ stderr = "" }) => stderr.includes(said)).map(({ script }) => script);
  const callers = scenario.calls.filter(({ path }) => scripts.some((script) => path.endsWith(`/${script}`))).flatMap((call) => ids.filter((id) => call.arguments.includes(id)));
  const next = following.map(idOf).find((id) => ids.includes(id));
  return callers.find((id) => !kept.some((line) => idOf(line) === id && line.endsWith(` ${said}`))) ?? next ?? ids[0] ?? "-1";
}

/** The glued words of a failure, found by what a stub was told to print, with blanks between them; the longest text that fits. */
function joined(line: string, scenario: Scenario): string {
  if (!/^\S+ FAILURE \S+ /.test(line)) return line;
  const texts = scenario.stubs.filter(({ exit }) => exit).map(textOf).toSorted((one, other) => other.glued.length - one.glued.length);
  for (const { glued, text, exit } of texts) {
    for (const ending of [`${glued}ExitCode: ${exit}`, glued]) {
      if (ending !== "" && line.endsWith(` ${ending}`)) return line.slice(0, line.length - ending.length) + text;
    }
    if (line.endsWith(`${glued}Timeout Error`) && glued !== "") return `${line.slice(0, -`${glued}Timeout Error`.length)}${text} Timeout Error`;
    if (isOld(scenario) && / FAILURE \S+ -$/.test(line) && glued !== "") return line.replace(/-$/, text);
  }
  return line.replace(/ExitSSHCode: \d+Error connecting/, " Error connecting");
}

/** What a failing script says besides log lines: as upstream glues it, and as we join it. */
function textOf({ stderr = "", exit = 0 }: StubRule): { readonly glued: string; readonly text: string; readonly exit: number } {
  const words = stderr.split("\n").map((each) => each.trim()).filter((each) => each !== "" && !/^(?:ERROR|INFO|WARN|DEBUG):\s/.test(each));
  return { glued: words.join(""), text: words.join(" ") || "-", exit };
}

/** Lines to which upstream said nothing. */
function answered(lines: readonly string[], scenario: Scenario, used: Set<Rule>): readonly string[] {
  const refused = new Map(requestsOf(scenario).filter(({ fate }) => fate === "refused").map(({ action, id, at }) => [at, `${action} FAILURE ${id} <reason>`]));
  const extra = scenario.stdin.slice(0, finalizeAt(scenario)).flatMap((line, at) => {
    const [word = "INIT", id] = wordsOf(line);
    if (["INIT", "DRIVER_CANCEL"].includes(word.toUpperCase())) return [];
    return isAction(word) && id !== undefined ? (refused.get(at) ?? []) : [`LOG W -1 <reason about ${word}>`];
  });
  if (extra.length === 0) return lines;
  used.add("malformed");
  return [...lines.slice(0, 1), ...extra, ...lines.slice(1)];
}
