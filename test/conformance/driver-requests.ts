import type { Scenario } from "./driver-scenario.ts";

/** One request of a recorded conversation that oned may expect an answer to. */
export interface Request {
  /** In upper case, as it is answered. */
  readonly action: string;
  readonly id: string;
  /** The line as it was sent. */
  readonly line: string;
  /** Number of the line. */
  readonly at: number;
  /** `answered` in the recording; `cancelled` by DRIVER_CANCEL; `refused` for its form; `silent`: upstream said nothing (driver-protocol.md 3.1, 18.1). */
  readonly fate: "answered" | "cancelled" | "refused" | "silent";
  /** Recorded lines about it, its result the last one. */
  readonly lines: readonly string[];
}

/** Actions of driver-protocol.md 15. */
const WORDS = /^(?:DEPLOY|SHUTDOWN|CANCEL|SAVE|RESTORE|MIGRATE|POLL|REBOOT|RESET|ATTACHDISK|DETACHDISK|SNAPSHOTCREATE|SNAPSHOTREVERT|SNAPSHOTDELETE|DISKSNAPSHOTCREATE|RESIZEDISK|RESIZE|CLEANUP|ATTACHNIC|DETACHNIC|UPDATECONF|UPDATESG|UPDATENIC|BACKUP|BACKUPCANCEL|EXEC|EXEC_CANCEL)$/;

/** Words of a line as the protocol splits it; none for a line that is ignored. */
export function wordsOf(line: string): readonly string[] {
  return /^\S/.test(line) ? line.trim().split(/\s+/) : [];
}

export function isAction(word: string): boolean {
  return WORDS.test(word.toUpperCase());
}

/** Number of the line with FINALIZE, behind which nothing is accepted; the number of lines without one. */
export function finalizeAt({ stdin }: Scenario): number {
  const at = stdin.findIndex((line) => wordsOf(line)[0]?.toUpperCase() === "FINALIZE");
  return at < 0 ? stdin.length : at;
}

/** What was asked before FINALIZE, in order. */
export function requestsOf(scenario: Scenario): readonly Request[] {
  const found: Request[] = [];
  for (const [at, line] of scenario.stdin.slice(0, finalizeAt(scenario)).entries()) {
    const [word = "", id = "", ...rest] = wordsOf(line);
    if (!isAction(word) || id === "") continue;
    const action = word.toUpperCase();
    const earlier = found.filter((each) => each.action === action && each.id === id && each.lines.length > 0).length;
    const lines = answerOf(scenario, action, id, earlier);
    found.push({ action, id, line, at, lines, fate: fateOf(scenario, { id, at, isWhole: rest.length === 1, isAnswered: lines.length > 0 }) });
  }
  return found;
}

function fateOf({ stdin }: Scenario, { id, at, isWhole, isAnswered }: { readonly id: string; readonly at: number; readonly isWhole: boolean; readonly isAnswered: boolean }): Request["fate"] {
  if (isAnswered) return "answered";
  if (!isWhole) return "refused";
  return stdin.slice(at).some((line) => cancelledId(line) === id) ? "cancelled" : "silent";
}

/** The id that a line cancels. */
export function cancelledId(line: string): string | undefined {
  const [word = "", id] = wordsOf(line);
  return word.toUpperCase() === "DRIVER_CANCEL" ? id : undefined;
}

/** Lines of one id up to the result of the request, behind the result before it; none without a result. `earlier` results are of requests before. */
function answerOf({ stdout }: Scenario, action: string, id: string, earlier: number): readonly string[] {
  const own = stdout.filter((line) => idOf(line) === id);
  const ends = own.flatMap((line, at) => (isResult(line) ? [at] : []));
  const end = ends.filter((at) => own[at]?.startsWith(`${action} `))[earlier];
  if (end === undefined) return [];
  return own.slice((ends.findLast((at) => at < end) ?? -1) + 1, end + 1);
}

/** The id that a line of the driver is about. */
export function idOf(line: string): string {
  return line.split(" ")[2] ?? "";
}

export function isResult(line: string): boolean {
  const [word = "", status = ""] = line.split(" ");
  return isAction(word) && /^(?:SUCCESS|FAILURE)$/.test(status);
}

/** FINALIZE came while something ran: requests came behind it, or the last ones before it were never answered although work took its time. */
export function isEndedInFlight(scenario: Scenario): boolean {
  if (scenario.stdin.slice(finalizeAt(scenario) + 1).some((line) => isAction(wordsOf(line)[0] ?? ""))) return true;
  return slowCalls(scenario.calls, scenario) > 0 && requestsOf(scenario).at(-1)?.fate === "silent";
}

/** How many of some calls are of scripts that were told to take their time. */
export function slowCalls(calls: readonly { readonly path: string }[], { stubs }: Scenario): number {
  const slow = stubs.filter(({ sleep_s = 0 }) => sleep_s > 0).map(({ script }) => script);
  return calls.filter(({ path }) => slow.some((script) => path.endsWith(`/${script}`))).length;
}

/** Ids of what was asked and cancelled, each once. */
export function requestIds(scenario: Scenario): readonly string[] {
  const cancelled = scenario.stdin.flatMap((line) => cancelledId(line) ?? []);
  return [...new Set([...requestsOf(scenario).map(({ id }) => id), ...cancelled])];
}

/** The document of a request; bytes that are no base64 are no text that matters. */
export function documentOf(line: string): string {
  return Buffer.from(/\S+$/.exec(line)?.[0] ?? "", "base64").toString("utf8");
}

/** Texts of an element in a document, of its own or in CDATA. */
export function textsOf(document: string, element: string): readonly string[] {
  return [...document.matchAll(new RegExp(`<${element}>(?:<!\\[CDATA\\[)?([^<\\]]*)`, "g"))].map((found) => found[1] ?? "");
}

/** The whole elements of a name in the VM's TEMPLATE. */
export function elementsOf(document: string, element: string): readonly string[] {
  const template = /<VM>.*?<TEMPLATE>(.*?)<\/TEMPLATE>/s.exec(document)?.[1] ?? "";
  return [...template.matchAll(new RegExp(`<${element}>.*?</${element}>`, "gs"))].map(([whole]) => whole);
}

/** Network drivers of a VM in the order of their calls (driver-protocol.md 11.1). */
export function networkDriversOf(document: string): readonly string[] {
  const devices = ["NIC", "NIC_ALIAS", "PCI"].flatMap((element) => elementsOf(document, element));
  return [...new Set(devices.flatMap((device) => textsOf(device, "VN_MAD")).filter((driver) => driver !== ""))];
}
