import { OnevirtError, messageOf } from "../core/errors.ts";

/** An element. Text (character data and CDATA alike) stands among the children as strings; comments are left out. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (XmlElement | string)[];
}

/**
 * Reads a document of libvirt with the runtime's own parser: strict, fast, refuses entity bombs and never reads external entities
 * (bun-notes 7.1). `what` names the document in the error: BAD_INPUT. Not for VM documents, see `parseVmXml`.
 */
export function parseXml(text: string, what: string): XmlElement {
  if (DOCUMENT_TYPE.test(text)) throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: it declares a document type`);
  try {
    return withoutComments(Bun.XML.parse(text, { compact: false }) as unknown as XmlElement);
  } catch (cause) {
    throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: ${reasonOf(cause)}`, { cause });
  }
}

/** Entities of its own would make a document say one thing to us and another to libvirt. */
const DOCUMENT_TYPE = /^\uFEFF?\s*(?:(?:<\?[\s\S]*?\?>|<!--[\s\S]*?-->)\s*)*<!DOCTYPE/;

/**
 * Reads an OpenNebula document (VM, host, driver message). Unlike libvirt's documents, there an attribute that is present and
 * empty differs from an absent one, so every element and every empty CDATA section must survive (domain-xml.md 2.1): an empty
 * CDATA section gives one empty string as child, an empty element none.
 *
 * The runtime's parser would drop empty CDATA sections, so they are marked before. What it refuses (control characters, which
 * OpenNebula lets pass) goes to fast-xml-parser, which is only then loaded: it costs several times the whole rest.
 */
export async function parseVmXml(text: string, what: string): Promise<XmlElement> {
  if (DOCUMENT_TYPE.test(text)) throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: it declares a document type`);
  return parseMarked(text) ?? (await parseTolerantly(text, what));
}

/** A character for private use: it stands for nothing in documents of others. */
const EMPTY_SECTION = "\ue000";

/** The document, or undefined when it is not strictly well-formed or holds the mark itself. */
function parseMarked(text: string): XmlElement | undefined {
  if (text.includes(EMPTY_SECTION)) return undefined;
  const marked = text.replace(/<!--[^]*?-->|<!\[CDATA\[[^]*?\]\]>/g, (section) => (section === "<![CDATA[]]>" ? `<![CDATA[${EMPTY_SECTION}]]>` : section));
  try {
    return unmarked(Bun.XML.parse(marked, { compact: false }) as unknown as XmlElement);
  } catch {
    return undefined;
  }
}

function unmarked(node: XmlElement): XmlElement {
  const children = node.children
    .filter((child) => typeof child === "string" || "name" in child)
    .map((child) => (typeof child === "string" ? child.replaceAll(EMPTY_SECTION, "") : unmarked(child)));
  return { name: node.name, attributes: node.attributes, children };
}

async function parseTolerantly(text: string, what: string): Promise<XmlElement> {
  const { XMLParser, XMLValidator } = await import("fast-xml-parser");
  const verdict = XMLValidator.validate(text);
  if (verdict !== true)
    throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: ${verdict.err.msg.replace(/\.$/, "")} (line ${verdict.err.line}, column ${verdict.err.col ?? 1})`);
  try {
    const parser = new XMLParser({
      preserveOrder: true, ignoreAttributes: false, attributeNamePrefix: "", parseTagValue: false, parseAttributeValue: false,
      trimValues: false, cdataPropName: CDATA, ignoreDeclaration: true, ignorePiTags: true, htmlEntities: true,
    });
    const [root, ...more] = (parser.parse(text) as readonly OrderedNode[]).map(fromOrdered).filter((node) => typeof node === "object");
    if (root === undefined || more.length > 0) throw new SyntaxError("there must be exactly one root element");
    return root;
  } catch (cause) {
    throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: ${reasonOf(cause)}`, { cause });
  }
}

/** Child elements with this name, in document order. */
export function childrenOf(element: XmlElement | undefined, name: string): readonly XmlElement[] {
  return (element?.children ?? []).filter((child): child is XmlElement => typeof child === "object" && child.name === name);
}

/** All elements at the end of a path of child names, in document order. */
export function findAll(element: XmlElement | undefined, ...path: readonly string[]): readonly XmlElement[] {
  return path.reduce<readonly XmlElement[]>((found, name) => found.flatMap((each) => childrenOf(each, name)), element ? [element] : []);
}

/** The first element at the end of a path of child names. */
export function findFirst(element: XmlElement | undefined, ...path: readonly string[]): XmlElement | undefined {
  return findAll(element, ...path)[0];
}

/** The element's own text, CDATA included; undefined when there is no element. */
export function textOf(element: XmlElement | undefined): string | undefined {
  return element?.children.filter((child) => typeof child === "string").join("");
}

/** Text for use between tags or in an attribute: no character of it is read as markup. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

const CDATA = "#cdata";

/** fast-xml-parser's ordered form: one key that is the tag name, and ":@" for the attributes. */
type OrderedNode = Readonly<Record<string, unknown>>;

function fromOrdered(node: OrderedNode): XmlElement | string {
  const name = Object.keys(node).find((key) => key !== ":@") ?? "";
  if (name === "#text") return String(node[name]);
  const inner = node[name] as readonly OrderedNode[];
  if (name === CDATA) return inner.map((each) => String(each["#text"] ?? "")).join("");
  return { name, attributes: (node[":@"] as Record<string, string> | undefined) ?? {}, children: inner.map(fromOrdered) };
}

function withoutComments(node: XmlElement): XmlElement {
  const children = node.children
    .filter((child) => typeof child === "string" || "name" in child)
    .map((child) => (typeof child === "string" ? child : withoutComments(child)));
  return { name: node.name, attributes: node.attributes, children };
}

function reasonOf(cause: unknown): string {
  return messageOf(cause).replace(/^XML Parse error: /, "").replace(/\.$/, "");
}
