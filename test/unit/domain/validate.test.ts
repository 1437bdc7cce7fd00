import { describe, expect, test } from "bun:test";
import { Deadline } from "../../../src/core/deadline.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import type { DomainIdentity } from "../../../src/core/ports.ts";
import { type DomainJudge, XML_INVALID_SCHEMA } from "../../../src/domain/ports.ts";
import { type Judges, validateDomain } from "../../../src/domain/validate.ts";
import { FakeClock } from "../../fakes/clock.ts";

const DEADLINE = Deadline.after(null, { monotonicMs: () => 0, nowMs: () => 0, sleep: () => Promise.resolve() });
const DOMAIN = "<domain><name>one-7</name><uuid>old</uuid><devices><a/></devices><devices><b/></devices></domain>";

/** A libvirt that remembers what is defined and refuses what it is told to. */
class FakeJudge implements DomainJudge {
  readonly uri = "fake:///";
  readonly defined = new Map<string, string>();
  readonly calls: string[] = [];

  constructor(private readonly refuse: (xml: string, schema: boolean) => OnevirtError | undefined = () => undefined, private readonly hasSchema = true) {}

  define(xml: string, { schema }: { readonly schema: boolean }): Promise<DomainIdentity> {
    const name = /<name>(.*?)<\/name>/.exec(xml)?.[1];
    if (name === undefined) return Promise.reject(refused(schema && this.hasSchema ? XML_INVALID_SCHEMA : 21, "missing name information"));
    this.calls.push(`define ${schema ? "by schema" : "as it is"}`);
    const error = this.refuse(xml, schema);
    if (error) return Promise.reject(error);
    this.defined.set(name, xml);
    return Promise.resolve({ name, uuid: "new-uuid", id: -1 });
  }

  undefine(name: string): Promise<void> {
    this.calls.push(`undefine ${name}`);
    if (!this.defined.delete(name)) return Promise.reject(new Error(`no domain ${name}`));
    return Promise.resolve();
  }

  inactiveNames(): Promise<readonly string[]> {
    return Promise.resolve([...this.defined.keys()]);
  }
}

function judges(more: Partial<Judges>): Judges {
  return { schema: new FakeJudge(), libvirt: undefined, isAlive: () => false, pid: 42, nowSeconds: 1000, uuid: "new-uuid", ...more };
}

const refused = (code: number, text: string) => new OnevirtError("LIBVIRT_FAILED", text, { libvirt: { code, domain: 0, text } });
const outcomes = async (text: string, more: Partial<Judges>) => (await validateDomain(text, "it", judges(more), DEADLINE)).map(({ check, outcome }) => `${check} ${outcome}`);

describe("validateDomain()", () => {
  test("defines under another name and UUID, and leaves nothing behind", async () => {
    const libvirt = new FakeJudge();
    expect(await outcomes(DOMAIN, { libvirt })).toEqual(["well-formed passed", "schema passed", "libvirt passed"]);
    expect(libvirt.calls).toEqual(["define by schema", "define as it is", "undefine onevirt-validate-42-1000"]);
    expect(libvirt.defined.size).toBe(0);
  });

  test("puts several <devices> together for the schema only", async () => {
    const seen: string[] = [];
    await outcomes(DOMAIN, { libvirt: new FakeJudge((xml, schema) => void seen.push(`${schema} ${xml.match(/<devices>/g)?.length} ${xml.includes("one-7") || xml.includes("old")}`)) });
    expect(seen).toEqual(["true 1 false", "false 2 false"]);
  });

  test("tells a refusal by the schema from one for another reason", async () => {
    expect(await outcomes(DOMAIN, { schema: new FakeJudge(() => refused(XML_INVALID_SCHEMA, "extra element")) })).toEqual(["well-formed passed", "schema failed", "libvirt skipped"]);
    expect(await outcomes(DOMAIN, { libvirt: new FakeJudge(() => refused(67, "no such machine")) })).toEqual(["well-formed passed", "schema passed", "libvirt failed"]);
  });

  test("removes what killed validations left, but nothing of others", async () => {
    const libvirt = new FakeJudge();
    for (const name of ["onevirt-validate-7-999", "onevirt-validate-8-999", "onevirt-validate-8-1", "one-5"]) libvirt.defined.set(name, "");
    await outcomes(DOMAIN, { libvirt, isAlive: (pid) => pid === 8 });
    expect([...libvirt.defined.keys()]).toEqual(["onevirt-validate-8-999", "one-5"]);
  });

  test("says what was not checked", async () => {
    expect(await outcomes(DOMAIN, {})).toEqual(["well-formed passed", "schema passed", "libvirt skipped"]);
    expect(await outcomes("<domain>", { libvirt: new FakeJudge() })).toEqual(["well-formed failed", "schema skipped", "libvirt skipped"]);
    expect(await outcomes("<network/>", {})).toEqual(["well-formed failed", "schema skipped", "libvirt skipped"]);
    expect(await outcomes(DOMAIN, { schema: new FakeJudge(() => new OnevirtError("LIBVIRT_UNREACHABLE", "gone")) })).toEqual(["well-formed passed", "schema skipped", "libvirt skipped"]);
  });

  test("does not take a libvirt without its schema files for one whose schema is content", async () => {
    const without = new FakeJudge((_xml, schema) => (schema ? refused(1, "Unable to parse RNG domain.rng: could not load") : undefined), false);
    const verdicts = await validateDomain(DOMAIN, "it", judges({ schema: without }), DEADLINE);
    expect(verdicts[1]).toEqual({ check: "schema", outcome: "skipped", detail: "Unable to parse RNG domain.rng: could not load" });
    expect(await outcomes(DOMAIN, { libvirt: without })).toEqual(["well-formed passed", "schema skipped", "libvirt passed"]);
    expect(without.defined.size).toBe(0);
  });

  test("keeps some of its time for taking away what a call that was abandoned has defined", async () => {
    const clock = new FakeClock();
    const libvirt = new FakeJudge();
    const deadline = Deadline.after(60, clock);
    const slow: DomainJudge = {
      uri: libvirt.uri,
      define: async (xml, options, asking) => {
        if (!asking.expired) await libvirt.define(xml, options);
        clock.pass(asking.remainingMs());
        throw new OnevirtError("TIMED_OUT", "no answer");
      },
      undefine: (name, left) => (left.expired ? Promise.reject(new OnevirtError("TIMED_OUT", "no time")) : libvirt.undefine(name)),
      inactiveNames: (left) => (left.expired ? Promise.reject(new OnevirtError("TIMED_OUT", "no time")) : libvirt.inactiveNames()),
    };
    const verdicts = await validateDomain(DOMAIN, "it", judges({ libvirt: slow }), deadline);
    expect([verdicts.map(({ outcome }) => outcome), libvirt.calls]).toEqual([["passed", "skipped", "failed"], ["define by schema", "undefine onevirt-validate-42-1000"]]);
  });
});
