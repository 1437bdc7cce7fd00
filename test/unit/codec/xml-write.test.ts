import { describe, expect, test } from "bun:test";
import { parseXml } from "../../../src/codec/xml.ts";
import { cdata, escapeAttribute, type WritableElement, writeXml } from "../../../src/codec/xml-write.ts";

function leaf(name: string, more: Partial<WritableElement> = {}): WritableElement {
  return { kind: "element", name, attributes: [], content: { kind: "empty" }, ...more };
}

function parent(...nodes: readonly WritableElement[]): WritableElement {
  return leaf("p", { content: { kind: "children", nodes } });
}

describe("writeXml()", () => {
  test("writes a line per element and a tab per level", () =>
    expect(writeXml(parent(leaf("a", { attributes: [["x", { text: "1" }], ["y", { text: "2" }]] }), leaf("b", { content: { kind: "text", value: { text: "t" } } }), leaf("c", { content: { kind: "cdata", value: { text: "u" } } })))).toBe("<p>\n\t<a x='1' y='2'/>\n\t<b>t</b>\n\t<c><![CDATA[u]]></c>\n</p>\n"));

  test("keeps an element open that has no children but could have", () => expect(writeXml(parent())).toBe("<p>\n</p>\n"));

  test("follows the layout of an element", () => {
    const layout = { quote: '"', wide: ["y"], blankAtEnd: true, extraTabs: 1 } as const;
    expect(writeXml(parent(leaf("a", { attributes: [["x", { text: "1" }], ["y", { text: '"' }]], layout })))).toBe("<p>\n\t\t<a x=\"1\"  y=\"&quot;\" />\n</p>\n");
    expect(writeXml(parent(leaf("a", { layout: { joined: true } }), leaf("b")))).toBe("<p>\n\t<a/><b/>\n</p>\n");
  });

  test("writes fragments as they are, with or without the tabs of their depth", () =>
    expect(writeXml(leaf("p", { content: { kind: "children", nodes: [{ kind: "fragment", value: { text: "\n <x/>" }, indented: true }, { kind: "fragment", value: { text: "<y/>" }, indented: false }] } }))).toBe("<p>\n\t\n <x/>\n<y/>\n</p>\n"));

  test("gives every value back to a reader", () => {
    const value = `'"<>&]]>\t\n\r é \u{1f600}`;
    const read = parseXml(writeXml(parent(leaf("a", { attributes: [["x", { text: value }]] }), leaf("b", { content: { kind: "text", value: { text: value } } }))), "it");
    expect(read.children.filter((child) => typeof child === "object").map(({ attributes, children }) => attributes["x"] ?? children.join(""))).toEqual([value, value]);
  });
});

test("escapeAttribute() leaves harmless values and the other quote alone", () => expect([escapeAttribute(`a>"b`), escapeAttribute(`a'b`, '"')]).toEqual([`a>"b`, `a'b`]));

test("cdata() divides the end mark between two sections", () => expect(cdata("a]]>b")).toBe("<![CDATA[a]]]]><![CDATA[>b]]>"));

test("writeXml() puts U+FFFD for characters that XML cannot hold", () =>
  expect(writeXml(leaf("a", { attributes: [["x", { text: "\u0000" }]], content: { kind: "text", value: { text: "a\u0001b\ud800\ufffe" } } }))).toBe("<a x='\ufffd'>a\ufffdb\ufffd\ufffd</a>\n"));
