/** Anything with a text. Values of the generator also say where the text comes from; the writer does not look at that. */
export interface TextValue {
  readonly text: string;
}

/** How an element is written, where that is not simply one element per line, attributes in single quotes. */
export interface Layout {
  readonly quote?: '"';
  /** Attributes with two blanks in front. */
  readonly wide?: readonly string[];
  /** A blank before `/>`. */
  readonly blankAtEnd?: true;
  /** The next sibling follows on the same line. */
  readonly joined?: true;
  /** More tabs than the depth asks for. */
  readonly extraTabs?: number;
}

export type Content =
  /** `<a/>` */
  | { readonly kind: "empty" }
  /** `<a>text</a>` */
  | { readonly kind: "text"; readonly value: TextValue }
  /** `<a><![CDATA[text]]></a>` */
  | { readonly kind: "cdata"; readonly value: TextValue }
  /** Opening tag, children and closing tag on lines of their own, also without children. */
  | { readonly kind: "children"; readonly nodes: readonly WritableNode[] };

export interface WritableElement {
  readonly kind: "element";
  readonly name: string;
  readonly attributes: readonly (readonly [name: string, value: TextValue])[];
  readonly content: Content;
  readonly layout?: Layout;
}

/** Well-formed XML that is written as it is. */
export interface WritableFragment {
  readonly kind: "fragment";
  readonly value: TextValue;
  /** Whether the first line gets the tabs of its depth. */
  readonly indented: boolean;
}

export type WritableNode = WritableElement | WritableFragment;

/**
 * The document as text: a tab per level, a line per element. No value can break out of its place. XML 1.0 has no way to write most
 * control characters: U+FFFD stands for them.
 */
export function writeXml(root: WritableElement): string {
  const out: string[] = [];
  node(root, 0, false, out);
  const text = out.join("");
  return isXmlText(text) ? text : text.toWellFormed().replace(ALL_NOT_XML, "\ufffd");
}

/** Text for an attribute value: markup and the characters that a reader would normalise become references. */
export function escapeAttribute(text: string, quote: "'" | '"' = "'"): string {
  return text.replace(quote === "'" ? /[&<'\t\n\r]/g : /[&<"\t\n\r]/g, reference);
}

/** Text for use between tags. */
export function escapeText(text: string): string {
  return text.replace(/[&<>\r]/g, reference);
}

/** A CDATA section; `]]>` in the text is divided between two sections. */
export function cdata(text: string): string {
  return `<![CDATA[${text.replaceAll("]]>", "]]]]><![CDATA[>")}]]>`;
}

/** Whether XML 1.0 can hold the text at all. */
export function isXmlText(text: string): boolean {
  return text.isWellFormed() && !NOT_XML.test(text);
}

const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const ALL_NOT_XML = new RegExp(NOT_XML, "g");

const REFERENCES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;" };

function reference(character: string): string {
  return REFERENCES[character] ?? character;
}

function node(each: WritableNode, depth: number, joined: boolean, out: string[]): void {
  if (each.kind === "fragment") out.push(each.indented ? "\t".repeat(depth) : "", each.value.text, "\n");
  else element(each, depth, joined, out);
}

function element(each: WritableElement, depth: number, joined: boolean, out: string[]): void {
  const tabs = "\t".repeat(depth + (each.layout?.extraTabs ?? 0));
  out.push(joined ? "" : tabs, "<", each.name, ...attributes(each));
  content(each, tabs, depth, out);
  out.push(each.layout?.joined ? "" : "\n");
}

function attributes({ attributes, layout }: WritableElement): readonly string[] {
  const quote = layout?.quote ?? "'";
  return attributes.map(([name, { text }]) => `${layout?.wide?.includes(name) ? "  " : " "}${name}=${quote}${escapeAttribute(text, quote)}${quote}`);
}

function content({ name, content, layout }: WritableElement, tabs: string, depth: number, out: string[]): void {
  switch (content.kind) {
    case "empty":
      out.push(layout?.blankAtEnd ? " />" : "/>");
      break;
    case "text":
      out.push(">", escapeText(content.value.text), "</", name, ">");
      break;
    case "cdata":
      out.push(">", cdata(content.value.text), "</", name, ">");
      break;
    case "children":
      out.push(">\n");
      content.nodes.forEach((each, index) => node(each, depth + 1, isJoined(content.nodes[index - 1]), out));
      out.push(tabs, "</", name, ">");
  }
}

function isJoined(previous: WritableNode | undefined): boolean {
  return previous?.kind === "element" && previous.layout?.joined === true;
}
