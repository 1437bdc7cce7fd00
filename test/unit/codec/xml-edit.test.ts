import { describe, expect, test } from "bun:test";
import { parseXml, type XmlElement } from "../../../src/codec/xml.ts";
import { editAttributes, replaceTexts } from "../../../src/codec/xml-edit.ts";

/** A random number generator with a seed: a failing document can be made again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const NAMES = ["domain", "devices", "disk", "source", "a:b", "x-1", "ü"];
const VALUES = ["", "x", "a b", "it&apos;s", "&lt;&amp;&gt;", '"', ">", "/>", "a='b'", "&#10;", "&#x1F600;", "tab\there", "line\nend", "ünï", "--", "]]>", "=", "<".replace("<", "&lt;")];
const TEXTS = ["", "text", " ", "\n  ", "a &amp; b", "<!-- <disk> 'x' > -->", "<![CDATA[ <disk file='no'> ]]>", "<?pi <disk> ?>", "&lt;disk&gt;"];

/** Well-formed XML with everything that could lead a scan astray. */
function documentFrom(seed: number): string {
  const pick = random(seed);
  const one = <T>(list: readonly T[]) => list[pick(list.length)] as T;
  const attributes = () => {
    const names = [...new Set(Array.from({ length: pick(4) }, () => one(["file", "type", "dev", "x:y", "queues"])))];
    return names.map((name) => {
      const value = one(VALUES);
      const quote = value.includes('"') ? "'" : value.includes("'") ? '"' : one(["'", '"']);
      return `${one([" ", "\n ", "\t"])}${name}${one(["=", " = "])}${quote}${value}${quote}`;
    }).join("");
  };
  const element = (depth: number): string => {
    const name = depth === 0 ? "domain" : one(NAMES);
    const head = `${name}${attributes()}${one(["", " "])}`;
    if (depth > 0 && pick(4) === 0) return `<${head}/>`;
    const children = depth > 4 ? "" : Array.from({ length: pick(4) }, () => one(TEXTS) + element(depth + 1)).join("");
    return `<${head}>${one(TEXTS)}${children}</${name}${one(["", " "])}>`;
  };
  return `${one(["", "<?xml version='1.0'?>\n", "<!-- <domain> -->"])}${element(0)}`;
}

/** The same change, made to the parsed document. */
function edited(node: XmlElement, path: readonly string[], edit: (attributes: Readonly<Record<string, string>>) => Readonly<Record<string, string>> | undefined): XmlElement {
  const [name, ...below] = path;
  if (node.name !== name) return node;
  const attributes = below.length === 0 ? { ...node.attributes, ...edit(node.attributes) } : node.attributes;
  const children = below.length === 0 ? node.children : node.children.map((child) => (typeof child === "object" ? edited(child, below, edit) : child));
  return { ...node, attributes, children };
}

const SEEDS = Array.from({ length: 400 }, (_, seed) => seed + 1);

describe("editAttributes()", () => {
  test("editAttributes() changes in every document exactly what the parser says stands at the path", () => {
    const edit = ({ file }: Readonly<Record<string, string>>) => ({ file: `new '${file ?? ""}' <&>\n"`, added: "\tyes" });
    const wrong = SEEDS.filter((seed) => {
      const text = documentFrom(seed);
      const paths = [["domain"], ["domain", "disk"], ["domain", "devices", "source"], ["domain", "a:b", "ü"]];
      return paths.some((path) => !Bun.deepEquals(parseXml(editAttributes(text, path.join("/"), edit), "it"), edited(parseXml(text, "it"), path, edit)));
    });
    expect(wrong).toEqual([]);
  });

  test("editAttributes() leaves every byte alone when nothing is to be changed", () => {
    const wrong = SEEDS.filter((seed) => editAttributes(documentFrom(seed), "domain/disk", () => undefined) !== documentFrom(seed));
    expect(wrong).toEqual([]);
  });

  test("editAttributes() shows an edit the same values as the parser", () => {
    const seen: unknown[] = [];
    const text = `<d a='1\n2&#10;3&amp;&#x41;&apos;' b="'&quot;"><d a='inner'/></d>`;
    editAttributes(text, "d", (attributes) => void seen.push(attributes));
    expect(seen).toEqual([parseXml(text, "it").attributes]);
  });

  test("editAttributes() keeps what it does not change, to the byte", () => {
    const text = `<domain>\n  <disk  type = "file" ><source file="/a"\tstartupPolicy='x' /></disk><!-- <source file='/a'/> --></domain>`;
    expect(editAttributes(text, "domain/disk/source", () => ({ file: "/b" }))).toBe(`<domain>\n  <disk  type = "file" ><source file='/b'\tstartupPolicy='x'/></disk><!-- <source file='/a'/> --></domain>`);
  });

  test("editAttributes() takes time in proportion to the document", () => {
    const large = `<domain>${"<disk a='b' c=\"d\"><source file='/x'/></disk>".repeat(20_000)}</domain>`;
    const start = performance.now();
    editAttributes(large, "domain/disk/source", () => ({ file: "/y" }));
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe("replaceTexts()", () => {
  test("replaceTexts() gives each element of the name another text, as text", () => {
    expect(replaceTexts("<s><uuid>a</uuid><x><uuid t='1'></uuid></x><uuids>b</uuids><uuid/></s>", "uuid", "$& <&>")).toBe("<s><uuid>$&amp; &lt;&amp;&gt;</uuid><x><uuid t='1'>$&amp; &lt;&amp;&gt;</uuid></x><uuids>b</uuids><uuid/></s>");
  });
});
