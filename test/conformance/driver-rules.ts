import type { Scenario } from "./driver-scenario.ts";

/** A deliberate difference from the recordings: by which rule of the contract, and in which field. */
export interface Divergence {
  readonly field: "log" | "result" | "scripts";
  /** Section or row of driver-protocol.md. */
  readonly row: string;
  readonly what: string;
}

/** Every deliberate difference there is. A scenario's own list is in driver-divergences.ts. */
export const RULES = {
  exitCodeLines: { field: "log", row: "18.14", what: "no `ExitCode:` lines in the log" },
  commandText: { field: "log", row: "9.4", what: "the framing around a failed command is ours: its script is named, not our shell text; no line for a missing script" },
  loggedOnce: { field: "log", row: "4", what: "each line is logged once, to the VM's own id, and WARN is known" },
  joinedText: { field: "result", row: "10", what: "lines of a failure are joined by a blank, without `ExitCode:` and `ExitSSHCode:`; without an error block 5.x gets them too" },
  timeoutText: { field: "result", row: "9.6", what: "the command inside `Timeout executing` is the script" },
  malformed: { field: "result", row: "3.1", what: "a request that cannot be read is answered, an unknown action is logged" },
  refusedStart: { field: "result", row: "7", what: "a driver that cannot start says so" },
  cleanUps: { field: "scripts", row: "18.15", what: "the missing clean-ups run" },
  cleanUpLines: { field: "log", row: "18.15", what: "and are logged" },
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
  const ids = requestIds(scenario);
  const steps: readonly ((lines: readonly string[]) => readonly string[])[] = [
    (lines) => keep(lines, used, "exitCodeLines", (line) => !/^LOG I \S+ Exit(?:SSH)?Code: -?\d+$/.test(line)),
    (lines) => keep(lines, used, "commandText", (line) => !/Command execution failed \(exit code: 42\): 'if \[ -x/.test(line)),
    (lines) => logOnce(lines, ids, used),
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

export function requestIds(scenario: Scenario): readonly string[] {
  return [...new Set(scenario.stdin.map((line) => line.split(/\s+/)[1] ?? "").filter((id) => id !== ""))];
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
  if (!lines.some((line) => line.includes("Timeout executing "))) return lines;
  const kept = lines.filter((line) => !/^LOG \S \S+ Command execution failed/.test(line));
  return kept.filter((line, at) => !/^LOG \S \S+ Timeout executing /.test(line) || kept.indexOf(line) === at);
}

/** Upstream logs a line with a severity to its VM, and once more to oned or to the VM whose number it begins with. */
function logOnce(lines: readonly string[], ids: readonly string[], used: Set<Rule>): readonly string[] {
  const [owner = "-1"] = ids;
  return lines.reduce<readonly string[]>((kept, line) => {
    const [, letter = "", id = "", text = ""] = /^LOG (\S) (\S+) (.*)$/.exec(line) ?? [];
    if (letter === "" || ids.includes(id)) return [...kept, line];
    used.add("loggedOnce");
    const own = `LOG ${letter} ${owner} ${id === "-1" ? text : `${id} ${text}`}`;
    if (kept.includes(own)) return kept;
    const warning = `LOG I ${owner} WARN: ${text}`;
    return kept.includes(warning) ? kept.map((each) => (each === warning ? own : each)) : [...kept, own];
  }, []);
}

/** The glued words of a failure, found by what the stub was told to print, with blanks between them. */
function joined(line: string, { stubs }: Scenario): string {
  if (!/^\S+ FAILURE \S+ /.test(line)) return line;
  for (const { stderr = "", exit = 0 } of stubs.filter((stub) => stub.exit)) {
    const words = stderr.split("\n").map((each) => each.trim()).filter((each) => each !== "" && !/^(?:ERROR|INFO|WARN|DEBUG):\s/.test(each));
    const glued = words.join("");
    const text = words.join(" ") || "-";
    for (const ending of [`${glued}ExitCode: ${exit}`, glued]) {
      if (ending !== "" && line.endsWith(` ${ending}`)) return line.slice(0, line.length - ending.length) + text;
    }
    if (line.endsWith(`${glued}Timeout Error`) && glued !== "") return `${line.slice(0, -`${glued}Timeout Error`.length)}${text} Timeout Error`;
    if (/ FAILURE \S+ -$/.test(line) && glued !== "" && stderr.trim() !== "") return line.replace(/-$/, text);
  }
  return line.replace(/ExitSSHCode: \d+Error connecting/, " Error connecting");
}

const WORDS = /^(?:DEPLOY|SHUTDOWN|CANCEL|SAVE|RESTORE|MIGRATE|POLL|REBOOT|RESET|ATTACHDISK|DETACHDISK|SNAPSHOTCREATE|SNAPSHOTREVERT|SNAPSHOTDELETE|DISKSNAPSHOTCREATE|RESIZEDISK|RESIZE|CLEANUP|ATTACHNIC|DETACHNIC|UPDATECONF|UPDATESG|UPDATENIC|BACKUP|BACKUPCANCEL|EXEC|EXEC_CANCEL)$/;

/** Requests to which upstream said nothing. */
function answered(lines: readonly string[], { stdin }: Scenario, used: Set<Rule>): readonly string[] {
  const extra = stdin.flatMap((line) => {
    const words = line.trim() === "" || /^\s/.test(line) ? [] : line.trim().split(/\s+/);
    const action = words[0]?.toUpperCase() ?? "INIT";
    if (["INIT", "FINALIZE", "DRIVER_CANCEL"].includes(action)) return [];
    if (!WORDS.test(action) || words.length < 2) return [`LOG W -1 <reason about ${words[0] ?? ""}>`];
    return words.length === 3 ? [] : [`${action} FAILURE ${words[1]} <reason>`];
  });
  if (extra.length === 0) return lines;
  used.add("malformed");
  return [...lines.slice(0, 1), ...extra, ...lines.slice(1)];
}

interface Added {
  /** What must be called besides the recorded calls, as `HOST PATH` below the tree. */
  readonly calls: readonly string[];
  readonly lines: readonly string[];
}

const NOTHING: Added = { calls: [], lines: [] };

/** The clean-ups of row 18.15 that a recorded failure calls for. */
export function addedCleanUps(scenario: Scenario, message: (path: string) => readonly string[]): Added {
  const [id = ""] = requestIds(scenario);
  const action = scenario.stdin.find((line) => line.includes(` ${id} `))?.split(/\s+/)[0]?.toUpperCase() ?? "";
  const failed = scenario.stdout.map((line) => /^LOG I \S+ Failed to execute .* operation: (\S+)\.$/.exec(line)?.[1]).filter((name) => name !== undefined);
  const [host = "", destination = ""] = [message("HOST")[0], message("MIGR_HOST")[0]];
  const drivers = [...new Set(message("VN_MAD"))];
  const clean = (on: string, of: readonly string[]): Added => ({
    calls: of.map((driver) => (["elastic"].includes(driver) ? `LOCAL vnm/${driver}/clean` : `${on} vnm/${driver}/clean`)),
    lines: [`LOG I ${id} Successfully execute network driver operation: clean.`],
  });
  const both = (one: Added, other: Added): Added => ({ calls: [...one.calls, ...other.calls], lines: [...one.lines, ...other.lines] });
  if (action === "MIGRATE" && host !== destination && failed.includes("pre")) return both(clean(destination, drivers), failMigrate(scenario, id));
  if (action === "MIGRATE" && host !== destination && failed.includes("migrate")) return clean(destination, drivers);
  if (action === "ATTACHNIC" && failed.includes("attach_nic")) return clean(host, drivers);
  if (action === "ATTACHNIC" && failed.includes("reconfigure")) return both(detach(scenario, id, host), clean(host, drivers));
  const done = scenario.calls.filter(({ path }) => path.endsWith("/pre")).map(({ path }) => path.split("/").at(-2) ?? "").slice(0, -1);
  return action === "DEPLOY" && failed.includes("pre") && done.length > 0 ? clean(host, done) : NOTHING;
}

function failMigrate(scenario: Scenario, id: string): Added {
  const tm = scenario.calls.map(({ path }) => /\/tm\/([^/]+)\/premigrate$/.exec(path)?.[1]).find((found) => found) ?? "ssh";
  return { calls: [`LOCAL tm/${tm}/failmigrate`], lines: [`LOG I ${id} Successfully execute transfer manager driver operation: tm_failmigrate.`] };
}

function detach(scenario: Scenario, id: string, host: string): Added {
  const attach = scenario.calls.find(({ path }) => path.endsWith("/attach_nic"));
  if (!attach) return NOTHING;
  return { calls: [`${host} ${attach.path.split("/").slice(-3, -1).join("/")}/detach_nic`], lines: [`LOG I ${id} Successfully execute virtualization driver operation: detach_nic.`] };
}
