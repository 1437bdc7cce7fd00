import { parseXml, type XmlElement } from "../codec/xml.ts";
import type { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import { type DomainJudge, XML_INVALID_SCHEMA } from "./ports.ts";
import { renamed, toText, withOneDevices } from "./rewrite.ts";

/** One thing that was checked, or why it was not. */
export interface Verdict {
  readonly check: "well-formed" | "schema" | "libvirt";
  readonly outcome: "passed" | "failed" | "skipped";
  readonly detail: string;
}

/** Who can judge: a libvirt that only knows the schema, and the one that is asked for. */
export interface Judges {
  readonly schema: DomainJudge;
  readonly libvirt: DomainJudge | undefined;
  /** Whether the process that left a domain behind still works on it. */
  readonly isAlive: (pid: number) => boolean;
  readonly pid: number;
  readonly nowSeconds: number;
  readonly uuid: string;
}

const PREFIX = "onevirt-validate-";

/** No validation takes longer; what is older was left behind. */
const STALE_SECONDS = 300;

/** The end of the deadline that is kept for taking the domain away again. */
const REMOVAL_SECONDS = 10;

/** Refused by every schema, and by every libvirt without one for another reason. It names no domain, so that nothing can come of it. */
const AGAINST_ANY_SCHEMA = "<domain><onevirt/></domain>";

/** Judges a domain document: always whether it is well-formed, then by the schema and by libvirt as far as they can be asked. */
export async function validateDomain(text: string, what: string, judges: Judges, deadline: Deadline): Promise<readonly Verdict[]> {
  let root: XmlElement;
  try {
    root = domainIn(text, what);
  } catch (error) {
    return [{ check: "well-formed", outcome: "failed", detail: messageOf(error) }, ...(["schema", "libvirt"] as const).map((check) => skipped(check, "the text is no domain document"))];
  }
  const named = renamed(root, `${PREFIX}${judges.pid}-${judges.nowSeconds}`, judges.uuid);
  const passed: Verdict = { check: "well-formed", outcome: "passed", detail: what };
  if (judges.libvirt) return [passed, ...(await byLibvirt(named, judges.libvirt, judges, deadline))];
  return [passed, await bySchema(named, judges.schema, deadline), skipped("libvirt", "no --libvirt URI")];
}

function domainIn(text: string, what: string): XmlElement {
  const root = parseXml(text, what);
  if (root.name !== "domain") throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: expected <domain>, found <${root.name}>`);
  return root;
}

/** Without URI the schema is asked through libvirt's test driver: a hypervisor inside the asking process that keeps nothing beyond its connection. */
async function bySchema(root: XmlElement, judge: DomainJudge, deadline: Deadline): Promise<Verdict> {
  const merged = withOneDevices(root);
  const detail = merged === root ? "libvirt's schema" : "libvirt's schema; several <devices> were put together, as libvirt does";
  try {
    await judge.define(toText(merged), { schema: true }, deadline);
    return { check: "schema", outcome: "passed", detail };
  } catch (error) {
    if (isBySchema(error)) return { check: "schema", outcome: "failed", detail: messageOf(error) };
    return (await isAfterSchema(error, judge, deadline)) ? { check: "schema", outcome: "passed", detail } : skipped("schema", messageOf(error));
  }
}

function isBySchema(error: unknown): boolean {
  return error instanceof OnevirtError && error.libvirt?.code === XML_INVALID_SCHEMA;
}

/** Whether a document was refused for what comes after the schema. A libvirt whose schema files are missing refuses everything, and gives another number. */
async function isAfterSchema(error: unknown, judge: DomainJudge, deadline: Deadline): Promise<boolean> {
  if (!(error instanceof OnevirtError) || error.libvirt === undefined || hasCode(error, "LIBVIRT_UNREACHABLE", "CONNECTION_LOST")) return false;
  return judge.define(AGAINST_ANY_SCHEMA, { schema: true }, deadline).then(() => false, isBySchema);
}

/** libvirt defines the document with schema, and as it is; whatever happens, nothing of it stays. */
async function byLibvirt(root: XmlElement, judge: DomainJudge, judges: Judges, deadline: Deadline): Promise<readonly Verdict[]> {
  const asking = deadline.within(deadline.remainingMs() / 1000 - REMOVAL_SECONDS);
  try {
    await sweep(judge, judges, asking);
  } catch (error) {
    return [skipped("schema", "libvirt did not answer"), { check: "libvirt", outcome: "failed", detail: messageOf(error) }];
  }
  try {
    return [await bySchema(root, judge, asking), await asItIs(root, judge, asking)];
  } finally {
    await remove(judge, `${PREFIX}${judges.pid}-${judges.nowSeconds}`, deadline);
  }
}

async function asItIs(root: XmlElement, judge: DomainJudge, deadline: Deadline): Promise<Verdict> {
  try {
    await judge.define(toText(root), { schema: false }, deadline);
    return { check: "libvirt", outcome: "passed", detail: `${judge.uri} accepts it` };
  } catch (error) {
    return { check: "libvirt", outcome: "failed", detail: messageOf(error) };
  }
}

/** Takes away what a validation left behind that was killed. */
async function sweep(judge: DomainJudge, { isAlive, nowSeconds }: Judges, deadline: Deadline): Promise<void> {
  for (const name of await judge.inactiveNames(deadline)) {
    const [, pid, since] = new RegExp(`^${PREFIX}(\\d+)-(\\d+)$`).exec(name) ?? [];
    if (pid === undefined || since === undefined) continue;
    if (!isAlive(Number(pid)) || nowSeconds - Number(since) > STALE_SECONDS) await judge.undefine(name, deadline);
  }
}

async function remove(judge: DomainJudge, name: string, deadline: Deadline): Promise<void> {
  const names = await judge.inactiveNames(deadline).catch((): readonly string[] => []);
  if (names.includes(name)) await judge.undefine(name, deadline);
}

function skipped(check: Verdict["check"], detail: string): Verdict {
  return { check, outcome: "skipped", detail };
}
