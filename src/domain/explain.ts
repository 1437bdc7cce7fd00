import type { XmlElement } from "../codec/xml.ts";
import type { DomainElement, DomainNode } from "./element.ts";
import { parseFragment } from "./fragment.ts";
import type { Source } from "./source.ts";

/** An element or attribute of the document, and everything it comes from: at least one source, at least the rule. */
export interface Explanation {
  readonly xpath: string;
  readonly kind: "element" | "attribute";
  readonly value: string;
  readonly sources: readonly Source[];
}

/** The document as a tree in which also verbatim texts are taken apart and every node knows its sources. */
export interface ExplainedElement {
  readonly xpath: string;
  readonly name: string;
  readonly text: string;
  readonly sources: readonly Source[];
  readonly attributes: readonly ExplainedAttribute[];
  readonly children: readonly ExplainedElement[];
}

export interface ExplainedAttribute {
  readonly xpath: string;
  readonly name: string;
  readonly text: string;
  readonly sources: readonly Source[];
}

/** The tree of a generated document with its reasons. */
export function explainTree(root: DomainElement): ExplainedElement {
  return explained(named(root, ruleSource("the document")), `/${root.name}`);
}

/** Every element and attribute of a tree, in document order. */
export function explanations(root: ExplainedElement): readonly Explanation[] {
  return [
    { xpath: root.xpath, kind: "element", value: root.text, sources: root.sources },
    ...root.attributes.map(({ xpath, text, sources }) => ({ xpath, kind: "attribute", value: text, sources }) as const),
    ...root.children.flatMap(explanations),
  ];
}

/** A source as a sentence part for people. */
export function describeSource({ kind, name, value, file, line }: Source): string {
  if (kind === "rule") return `rule: ${name}`;
  const place = file === undefined ? "" : ` (${file}${line === undefined ? "" : ` line ${line}`})`;
  const held = value === "" ? "" : ` = ${JSON.stringify(value)}`;
  return `${kind === "vm" ? "VM" : kind} ${name.replace(/^\/VM\/TEMPLATE\//, "")}${held}${place}`;
}

/** An element before the positions of its children are known. */
interface Named {
  readonly name: string;
  readonly text: string;
  readonly sources: readonly Source[];
  readonly attributes: readonly { readonly name: string; readonly text: string; readonly sources: readonly Source[] }[];
  readonly children: readonly Named[];
}

function explained(node: Named, xpath: string): ExplainedElement {
  const seen = new Map<string, number>();
  const children = node.children.map((child) => {
    const position = (seen.get(child.name) ?? 0) + 1;
    seen.set(child.name, position);
    const alone = node.children.filter(({ name }) => name === child.name).length === 1;
    return explained(child, `${xpath}/${child.name}${alone ? "" : `[${position}]`}`);
  });
  return { ...node, xpath, children, attributes: node.attributes.map((each) => ({ ...each, xpath: `${xpath}/@${each.name}` })) };
}

function named(element: DomainElement, inherited: Source): Named {
  const rule = element.rule === undefined ? inherited : ruleSource(element.rule);
  const { content } = element;
  return {
    name: element.name,
    text: content.kind === "text" || content.kind === "cdata" ? content.value.text : "",
    sources: [...element.sources, rule],
    attributes: element.attributes.map(([name, { text, sources }]) => ({ name, text, sources: sources.length > 0 ? sources : [rule] })),
    children: content.kind === "children" ? content.nodes.flatMap((each) => childrenOf(each, rule)) : [],
  };
}

function childrenOf(node: DomainNode, rule: Source): readonly Named[] {
  if (node.kind === "element") return [named(node, rule)];
  const origin = [...node.value.sources, ruleSource("written verbatim")];
  return elementsOf(parseFragment(node.value.text, "a verbatim text")).map((each) => verbatim(each, origin));
}

function verbatim(element: XmlElement, sources: readonly Source[]): Named {
  return {
    name: element.name, sources,
    text: element.children.filter((child) => typeof child === "string").join("").trim(),
    attributes: Object.entries(element.attributes).map(([name, text]) => ({ name, text, sources })),
    children: elementsOf(element).map((each) => verbatim(each, sources)),
  };
}

function elementsOf(element: XmlElement): readonly XmlElement[] {
  return element.children.filter((child): child is XmlElement => typeof child === "object");
}

function ruleSource(rule: string): Source {
  return { kind: "rule", name: rule, value: "" };
}
