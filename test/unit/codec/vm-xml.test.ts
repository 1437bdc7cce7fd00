import { describe, expect, test } from "bun:test";
import { parseVmXml } from "../../../src/codec/xml.ts";

const body = (inner: string) => parseVmXml(`<VM>${inner}</VM>`, "it").then(({ children }) => children);

/** The second reader is reached by a control character, which the first one refuses. */
describe.each([["the runtime's reader", ""], ["the tolerant reader", "<X>\u0001</X>"]])("parseVmXml(), %s", (_name, more) => {
  const read = async (inner: string) => (await body(inner + more)).slice(0, more === "" ? undefined : -1);

  test("keeps empty CDATA, an element without any node and text apart", async () =>
    expect(await read("<A><![CDATA[]]></A><B></B><C/><D>d</D>")).toEqual([["A", [""]], ["B", []], ["C", []], ["D", ["d"]]].map(([name, children]) => ({ name, attributes: {}, children }) as never)));

  test("is not misled by section marks inside sections and comments", async () => {
    const [a, b] = await read("<A><![CDATA[x <![CDATA[]]></A><!-- <![CDATA[ --><B><![CDATA[]]></B>");
    expect([a, b]).toEqual([{ name: "A", attributes: {}, children: ["x <![CDATA["] }, { name: "B", attributes: {}, children: [""] }]);
  });

  test("decodes references and leaves the text of sections alone", async () => expect(await read("<A>&lt;&#233;&amp;</A><B><![CDATA[&lt;]]></B>")).toMatchObject([{ children: ["<é&"] }, { children: ["&lt;"] }]));
});

test("parseVmXml() names line and column of what is not well-formed", () => expect(parseVmXml("<VM>\n<A></B></VM>", "it")).rejects.toThrow(/^Cannot read it: .*line 2/));

test("parseVmXml() keeps a character for private use", async () => expect(await body("<A>\ue000</A><B><![CDATA[]]></B>")).toMatchObject([{ children: ["\ue000"] }, { children: [""] }]));

test("parseVmXml() refuses documents with entities of their own", () => expect(parseVmXml(`<!DOCTYPE VM [<!ENTITY e "x">]><VM>&e;</VM>`, "it")).rejects.toThrow("Cannot read it: it declares a document type"));
