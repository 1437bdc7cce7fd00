import { parseTemplate } from "../../codec/template.ts";
import { printable, templateComment } from "../../codec/template-text.ts";
import { messageOf } from "../../core/errors.ts";
import { checkTemplate } from "../template/check.ts";
import { compareImported, type ExplainedDifference } from "./comparison.ts";
import { importDomain } from "./import-domain.ts";
import type { ImportOptions } from "./piece.ts";
import { restrictedIn } from "./restricted.ts";
import { templateLines } from "./template-lines.ts";

/** Everything that `onevirt import` says about a domain. */
export interface ImportReport {
  readonly name: string;
  readonly uuid: string | undefined;
  /** What `onetemplate create` reads, without the remarks. */
  readonly template: string;
  readonly notes: readonly string[];
  readonly differences: readonly ExplainedDifference[];
}

/** Imports a domain, and compares what a VM of the template would be with it. BAD_INPUT when the document is no domain. */
export async function reportImport(xml: string, what: string, options: ImportOptions): Promise<ImportReport> {
  const imported = importDomain(xml, what, options);
  const template = templateLines(imported.template);
  const restricted = restrictedIn(imported.template);
  const refused = checkTemplate(parseTemplate(template, "the template")).filter(({ severity }) => severity === "error");
  const compared = await compareImported(xml, imported, options.cgroups).then((differences) => ({ differences, failure: [] }), (error: unknown) => ({ differences: [], failure: [messageOf(error)] }));
  const notes = [
    ...(imported.template.some(({ name }) => name === "OS" || name === "NIC") ? ["OS/UUID and NIC/MAC belong to this one VM: a template for several has neither"] : []),
    ...(restricted.length > 0 ? [`only oneadmin may use ${restricted.join(", ")} (VM_RESTRICTED_ATTR of oned.conf)`] : []),
    ...imported.notes, ...refused.map(({ attribute, message }) => `this will be refused: ${attribute}: ${message}`), ...compared.failure.map((each) => `it cannot be compared with the domain: ${each}`),
  ];
  return { name: imported.name, uuid: imported.uuid, template, notes, differences: compared.differences };
}

/** The template with its remarks as comments: all of it may be given to `onetemplate create`. */
export function reportText({ name, uuid, template, notes, differences }: ImportReport): string {
  const about = [`The domain ${JSON.stringify(name)}${uuid === undefined ? "" : ` (${uuid})`} as a template of OpenNebula.`, ...notes.map((each) => `- ${each}`)];
  const compared = differences.length === 0 ? ["A VM of this template has the same domain."] : ["A VM of this template differs from the domain (- only the domain, + only the VM, ~ changed):", ...grouped(differences)];
  return [...about.map(templateComment), "", template, ...compared.map(templateComment), ""].join("\n");
}

/** Each reason once, with the places it explains; what has no reason comes first. */
function grouped(differences: readonly ExplainedDifference[]): readonly string[] {
  const known = [...new Set(differences.flatMap(({ reason }) => reason ?? []))];
  const reasons = differences.some(({ reason }) => reason === undefined) ? [undefined, ...known] : known;
  return reasons.flatMap((reason) => {
    const own = differences.filter((each) => each.reason === reason);
    const shown = reason === undefined ? own : own.slice(0, SHOWN);
    const more = own.length - shown.length;
    return [...(reason === undefined ? [] : [`${reason}:`]), ...shown.map((each) => `  ${line(each)}`), ...(more > 0 ? [`  and ${more} more (--json names all)`] : [])];
  });
}

/** Places of one reason that are shown to people. */
const SHOWN = 3;

function line({ kind, xpath, a, b }: ExplainedDifference): string {
  if (kind === "changed") return `~ ${xpath}: ${JSON.stringify(a)} → ${JSON.stringify(b)}`;
  return kind === "only-in-a" ? `- ${xpath}: ${JSON.stringify(a)}` : `+ ${xpath}: ${JSON.stringify(b)}`;
}

/** The report for programs. No character of it is one that a terminal obeys. */
export function reportJson(report: ImportReport): string {
  const differences = report.differences.map(({ reason = null, ...each }) => ({ ...each, reason }));
  return JSON.stringify({ version: 1, ...report, differences }, null, 2).split("\n").map(printable).join("\n");
}
