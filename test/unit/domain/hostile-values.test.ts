import { describe, expect, test } from "bun:test";
import type { Attributes } from "../../../src/codec/attributes.ts";
import { parseXml, type XmlElement } from "../../../src/codec/xml.ts";
import { hasCode } from "../../../src/core/errors.ts";
import { generateDomain } from "../../../src/domain/generate.ts";
import { type DomainInput, domainInput } from "../../../src/domain/input.ts";
import { Level } from "../../../src/domain/levels.ts";
import { goldenCases, goldenTexts } from "../../golden/domain-xml/cases.ts";

/** 100 KB of markup. */
const LONG = `<'&"`.repeat(25_000);

/** Values that break documents which are put together without care. */
const HOSTILE: readonly string[] = [
  `'/><evil a='`, `"/><evil a="`, `]]></name><evil/><![CDATA[`, `]]>`, `<![CDATA[`, `&lt;evil/>`, `&evil;`, `&#0;`, `<!-- `, `-->`, `<?evil?>`, `</domain><domain>`,
  `a\u0000b\u0008\u001b[31m`, `a\tb\nc\rd`, `\ufffe\uffff`, `\ud800`, `\u202egnp.exe\u202c`, `שלום עולם`, `\u{1f600}`, `../../etc/passwd`, `%s%n$(id)`, LONG,
];

/** All of them at once goes into every attribute; of the single ones, each attribute gets three. */
const TOGETHER = HOSTILE.filter((each) => each !== LONG).join("");

/** Texts of elements: what is not allowed or not well-formed is refused, never written. */
const FRAGMENTS = ["RAW/DATA", "HYPERV_OPTIONS", "SPICE_OPTIONS"];

describe("hostile values", () => {
  for (const name of goldenCases())
    test(`${name}: whatever an attribute holds, the document is well-formed and keeps its elements`, async () => {
      const input = await domainInput(await goldenTexts(name));
      for (const [index, place] of placesOf(input.vm.template).entries())
        for (const hostile of [TOGETHER, ...HOSTILE.filter((_, which) => which % 7 === index % 7)]) expectHarmless(input, place, hostile);
    }, 60_000);

  test("names of the VM, of its owner and of its group cannot leave their elements", async () => {
    const input = await domainInput(await goldenTexts("os-firmware-path"));
    const expected = names(parseXml(generateDomain(input).xml, "the document"));
    for (const hostile of HOSTILE) {
      const vm = { ...input.vm, id: hostile, name: hostile, userName: hostile, groupName: hostile, uid: hostile, gid: hostile, startTime: hostile };
      expect(names(parseXml(generateDomain({ ...input, vm }).xml, "the document"))).toEqual(expected);
    }
  });
});

function expectHarmless(input: DomainInput, place: string, hostile: string): void {
  const found = outcome(input, place, hostile);
  if (FRAGMENTS.includes(place.replace(/\[\d+\]/, ""))) expect(found).not.toContain("evil");
  else expect([place, hostile.slice(0, 40), found]).toEqual([place, hostile.slice(0, 40), outcome(input, place, harmless(hostile))]);
}

/** Names of all elements in document order, or the code of the refusal. */
function outcome(input: DomainInput, place: string, value: string): readonly string[] {
  const template = replaced(input.vm.template, place, value);
  try {
    const { xml } = generateDomain({ ...input, vm: { ...input.vm, template }, levels: { ...input.levels, vm: new Level("vm", template, { root: "/VM/TEMPLATE/" }) } });
    return names(parseXml(xml, "the document"));
  } catch (error) {
    if (hasCode(error, "BAD_INPUT") && !error.message.includes("the document")) return ["refused"];
    throw error;
  }
}

function names(element: XmlElement): readonly string[] {
  return [element.name, ...element.children.flatMap((child) => (typeof child === "string" ? [] : names(child)))];
}

/** A value of the same shape, its separators kept, without anything dangerous. */
function harmless(hostile: string): string {
  return hostile.replace(/[^\s,:=x/-]/gu, "z");
}

function placesOf(template: Attributes): readonly string[] {
  const count = new Map<string, number>();
  return template.flatMap((each) => {
    const position = (count.get(each.name) ?? 0) + 1;
    count.set(each.name, position);
    return each.kind === "single" ? [each.name] : [...each.entries.keys()].map((key) => `${each.name}[${position}]/${key}`);
  });
}

function replaced(template: Attributes, place: string, value: string): Attributes {
  const [, name = "", position = "1", key] = /^(\w+?)(?:\[(\d+)\]\/(\w+))?$/.exec(place) ?? [];
  let seen = 0;
  return template.map((each) => {
    if (each.name !== name || ++seen !== Number(position)) return each;
    return each.kind === "single" ? { ...each, value } : { ...each, entries: new Map([...each.entries].map(([k, entry]) => [k, k === key ? { ...entry, value } : entry])) };
  });
}
