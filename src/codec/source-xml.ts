import { OnevirtError, messageOf } from "../core/errors.ts";

/** An element that remembers how it was written: pieces of it can be handed on (driver-protocol.md 5, 11.1). */
export interface SourceElement {
  readonly name: string;
  /** Attributes as written between the name and `>`, without surrounding blanks. */
  readonly attributes: string;
  /** Child elements, and everything between them exactly as written. */
  readonly children: readonly (SourceElement | string)[];
}

/** Reads a document with the runtime's strict parser, then keeps its source: BAD_INPUT with the reason when it is not well formed. */
export function parseSourceXml(text: string, what: string): SourceElement {
  try {
    Bun.XML.parse(text);
  } catch (cause) {
    throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: ${messageOf(cause).replace(/^XML Parse error: /, "").replace(/\.$/, "")}`, { cause });
  }
  return scan(text);
}

/** The document as upstream's driver hands it on: an element without content as `<X/>`, attributes in single quotes, the rest as written. */
export function writeSourceXml(element: SourceElement): string {
  const parts: string[] = [];
  write(element, parts);
  return parts.join("");
}

/** Child elements at the end of a path of names, in document order. */
export function sourceAll(element: SourceElement, ...path: readonly string[]): readonly SourceElement[] {
  return path.reduce<readonly SourceElement[]>((found, name) => found.flatMap((each) => elementsOf(each, name)), [element]);
}

/** The first element at the end of a path of names. */
export function sourceFirst(element: SourceElement, ...path: readonly string[]): SourceElement | undefined {
  return sourceAll(element, ...path)[0];
}

/** The text of the first element at the end of a path, entities and CDATA resolved; undefined without such an element. */
export function sourceText(element: SourceElement, ...path: readonly string[]): string | undefined {
  const found = sourceFirst(element, ...path);
  return found?.children.filter((child) => typeof child === "string").map(plainText).join("");
}

function elementsOf(element: SourceElement, name: string): readonly SourceElement[] {
  return element.children.filter((child): child is SourceElement => typeof child === "object" && child.name === name);
}

const TOKEN = /<!\[CDATA\[[^]*?\]\]>|<!--[^]*?-->|<\?[^]*?\?>|<!DOCTYPE(?:[^[>]|\[[^]*?\])*>|<(\/?)([^\s/>]+)((?:\s+[^\s=/>]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>/g;

interface Open {
  readonly name: string;
  readonly attributes: string;
  readonly children: (SourceElement | string)[];
}

/** Only for text that a strict parser accepted: nesting is right, and every `<` begins one of the tokens. */
function scan(text: string): SourceElement {
  const document: Open = { name: "", attributes: "", children: [] };
  const open: Open[] = [document];
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [token, closing, name, attributes = "", empty] = match;
    if (name === undefined) continue; // CDATA, comments and the like stay part of the text around them
    const parent = open.at(-1) ?? document;
    if (match.index > at) parent.children.push(text.slice(at, match.index));
    at = match.index + token.length;
    if (closing) open.pop();
    else enter(parent, { name, attributes: attributes.trim(), children: [] }, empty === "/", open);
  }
  const root = document.children.find((child) => typeof child === "object");
  if (!root) throw new OnevirtError("BAD_INPUT", "Cannot read the message: it has no element");
  return root;
}

function enter(parent: Open, element: Open, empty: boolean, open: Open[]): void {
  parent.children.push(element);
  if (!empty) open.push(element);
}

function write(element: SourceElement, parts: string[]): void {
  parts.push("<", element.name, ...(element.attributes === "" ? [] : [" ", singleQuoted(element.attributes)]));
  if (element.children.length === 0) return void parts.push("/>");
  parts.push(">");
  for (const child of element.children) typeof child === "string" ? parts.push(child) : write(child, parts);
  parts.push("</", element.name, ">");
}

function singleQuoted(attributes: string): string {
  return attributes.replace(/=\s*"([^"]*)"/g, (whole, value: string) => (value.includes("'") ? whole : `='${value}'`));
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function plainText(source: string): string {
  return source.replace(/<!\[CDATA\[([^]*?)\]\]>|<!--[^]*?-->|<\?[^]*?\?>|&(#x[0-9a-fA-F]+|#\d+|\w+);/g, (whole, data?: string, entity?: string) => {
    if (entity !== undefined) return entityText(entity) ?? whole;
    return data ?? "";
  });
}

function entityText(entity: string): string | undefined {
  if (!entity.startsWith("#")) return ENTITIES[entity];
  const code = entity.startsWith("#x") ? parseInt(entity.slice(2), 16) : Number(entity.slice(1));
  return code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}
