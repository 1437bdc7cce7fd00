import { parseKvmrc } from "../codec/kvmrc.ts";
import { OnevirtError } from "../core/errors.ts";
import { LIMIT, OWN, VARIABLES, type Row } from "../core/settings.ts";
import { evaluate, type RunBash } from "./bash.ts";
import { differences } from "./dialects.ts";
import { limitName, readOwnFile } from "./own.ts";
import { textOf } from "./problem.ts";
import type { Raw, RawValues } from "./raw.ts";
import { schemaOf } from "./schema.ts";
import { isOneSlipAway } from "./similar.ts";
import type { Source, Sources } from "./sources.ts";

/** "error": an action that reads it stops. "warning": surely not what somebody meant. "notice": good to know. */
export type Severity = "error" | "warning" | "notice";

/** One thing that is wrong or suspicious, with its place. */
export interface Finding {
  readonly severity: Severity;
  readonly path: string;
  readonly line?: number | undefined;
  readonly name?: string;
  readonly text: string;
  readonly hint?: string | undefined;
}

type Rows = Readonly<Record<string, Row>>;
const KVMRC_ROWS: Rows = VARIABLES;

/** Everything wrong or suspicious in the configuration files, in the order of files and lines. */
export async function check(sources: Sources, actionNames: readonly string[], runBash: RunBash): Promise<Finding[]> {
  const kvmrc = sources.kvmrc ? await checkKvmrc(sources.kvmrc, runBash) : [];
  const own = sources.own.flatMap((source) => checkOwn(source, actionNames));
  return [...kvmrc, ...own];
}

async function checkKvmrc(source: Source, runBash: RunBash): Promise<Finding[]> {
  try {
    return await findingsOfKvmrc(source.path, textOf(source), runBash);
  } catch (error) {
    return [refusal(source, error)];
  }
}

async function findingsOfKvmrc(path: string, text: string, runBash: RunBash): Promise<Finding[]> {
  const file = parseKvmrc(text);
  if (!file.plain) return findingsOfShellCode(path, text, file.line, runBash);
  const assigned = file.assignments.map(({ name, value, line }): [string, Raw] => [name, { text: value, origin: { path, line } }]);
  const values = new Map(assigned);
  const found = [...carriageReturns(path, text), ...assigned.flatMap(unknownVariable), ...repeated(assigned, values), ...[...values].flatMap(value(KVMRC_ROWS))];
  return sorted([...found, ...unexported(values, file.exported), ...otherReaders(path, text, values)]);
}

/** bash computes the values, so only they and the complaints of bash can be judged, not the lines. */
async function findingsOfShellCode(path: string, text: string, line: number, runBash: RunBash): Promise<Finding[]> {
  const { values, complaints } = await evaluate(path, line, runBash);
  const code: Finding = { severity: "notice", path, line, text: "shell code begins here: every action starts bash for it, and the probes of OpenNebula run it with sh" };
  const complained = complaints.map((complaint): Finding => ({ severity: "warning", path, ...complaint }));
  return sorted([...carriageReturns(path, text), code, ...complained, ...[...values].flatMap(value(KVMRC_ROWS)), ...otherReaders(path, text, values)]);
}

function checkOwn(source: Source, actionNames: readonly string[]): Finding[] {
  try {
    const rows: Rows = { ...OWN, ...Object.fromEntries(actionNames.map((action) => [limitName(action), LIMIT])) };
    const assigned = readOwnFile(source);
    const values = new Map(assigned);
    return sorted([...carriageReturns(source.path, textOf(source)), ...assigned.flatMap(unknownOwn(rows)), ...repeated(assigned, values), ...[...values].flatMap(value(rows))]);
  } catch (error) {
    return [refusal(source, error)];
  }
}

/** A file that cannot be used at all is a finding like any other. */
function refusal(source: Source, error: unknown): Finding {
  if (!(error instanceof OnevirtError)) throw error;
  const place = /^ line (\d+): /.exec(error.message.slice(`Cannot read "${source.path}"`.length));
  const text = error.message.slice(error.message.indexOf(": ", `Cannot read "${source.path}"`.length) + 2);
  return { severity: "error", path: source.path, line: place ? Number(place[1]) : undefined, text, hint: error.hint };
}

function carriageReturns(path: string, text: string): Finding[] {
  const at = text.indexOf("\r\n");
  if (at < 0) return [];
  const line = text.slice(0, at).split("\n").length;
  return [{ severity: "warning", path, line, text: "lines end with a carriage return, which becomes part of each value", hint: "convert the file to Unix line ends" }];
}

/** Names that no version of the code ever read, although files and documentation of upstream have them (actions.md 4.1). */
const NEVER_READ: Readonly<Record<string, string>> = {
  DEFAULT_VIRTIO_BLK_QUEUES: "DEFAULT_ATTACH_VIRTIO_BLK_QUEUES",
  DEFAULT_SIZE_IOPS_SEC: "DEFAULT_ATTACH_SIZE_IOPS_SEC",
};

/** Other names are legal: kvmrc may hold what only the administrator's own scripts know. */
function unknownVariable([name, { origin }]: readonly [string, Raw]): Finding[] {
  if (Object.hasOwn(VARIABLES, name)) return [];
  if (Object.hasOwn(OWN, name) || name.startsWith("LIMIT_")) return [{ severity: "warning", name, ...origin, text: "belongs into onevirt.conf; here nothing reads it" }];
  const meant = Object.hasOwn(NEVER_READ, name) ? NEVER_READ[name] : Object.keys(VARIABLES).find((known) => isOneSlipAway(name, known));
  return meant === undefined ? [] : [{ severity: "warning", name, ...origin, text: "nothing reads this name", hint: `write ${meant}` }];
}

const unknownOwn = (rows: Rows) => ([name, { origin }]: readonly [string, Raw]): Finding[] => {
  if (Object.hasOwn(rows, name)) return [];
  const meant = Object.keys(rows).find((known) => isOneSlipAway(name, known));
  const hint = meant ? `write ${meant}` : Object.hasOwn(VARIABLES, name) ? "put it into kvmrc" : undefined;
  return [{ severity: "error", name, ...origin, text: "there is no setting of this name", hint }];
};

function repeated(assigned: readonly (readonly [string, Raw])[], values: RawValues): Finding[] {
  return assigned.flatMap(([name, raw]): Finding[] => {
    const last = values.get(name)!;
    return last === raw ? [] : [{ severity: "notice", name, ...raw.origin, text: `line ${last.origin.line} sets it again and wins` }];
  });
}

const value = (rows: Rows) => ([name, raw]: readonly [string, Raw]): Finding[] => {
  const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
  if (!row) return [];
  const parsed = schemaOf(row).safeParse(raw.text);
  if (parsed.success) return suspicious(name, row, raw);
  return [{ severity: "error", name, ...raw.origin, text: parsed.error.issues[0]!.message, hint: readersOf(row) }];
};

const readersOf = ({ readBy }: Row) => (readBy.includes("all") ? "every action stops until it is corrected" : readBy.length === 0 ? "the action stops until it is corrected" : `${readBy.join(", ")} stop until it is corrected`);

function suspicious(name: string, row: Row, { text, origin }: Raw): Finding[] {
  const say = (severity: Severity, sentence: string): Finding[] => [{ severity, name, ...origin, text: sentence }];
  if (row.kind === "flag" && !["yes", "no", ""].includes(text)) return say("warning", `only yes switches it on, found ${JSON.stringify(text)}`);
  if (row.kind === "flag-any-case" && text !== "yes" && text.toLowerCase() === "yes") return say("notice", "restore of OpenNebula takes only yes in lower case");
  if (row.tolerant && text !== "" && !schemaOf({ ...row, tolerant: undefined } as never).safeParse(text).success) return say("warning", `counts as unset, found ${JSON.stringify(text)}`);
  return row.raisedTo !== undefined && Number(text) < row.raisedTo && text !== "" ? say("notice", `counts as ${row.raisedTo}`) : [];
}

/** The probes of OpenNebula see only what children see, and of that only LIBVIRT_URI. */
function unexported(values: RawValues, exported: ReadonlySet<string>): Finding[] {
  const uri = values.get("LIBVIRT_URI");
  if (!uri || exported.has("LIBVIRT_URI") || uri.text === VARIABLES.LIBVIRT_URI.default) return [];
  return [{ severity: "notice", name: "LIBVIRT_URI", ...uri.origin, text: "not exported: the probes of OpenNebula use qemu:///system", hint: "put export before it" }];
}

function otherReaders(path: string, text: string, values: RawValues): Finding[] {
  return differences(text, values).map(({ who, name, line, sees }): Finding => {
    const seen = sees === undefined ? "no value" : JSON.stringify(sees);
    return { severity: "notice", name, path, line, text: `${who} see ${seen} here`, hint: "write NAME=value or export NAME=value at the start of the line, without a comment after it" };
  });
}

function sorted(findings: Finding[]): Finding[] {
  return findings.sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
}
