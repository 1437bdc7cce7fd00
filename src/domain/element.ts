import type { Layout } from "../codec/xml-write.ts";
import type { Source, Sourced, Value } from "./source.ts";
import { sourcesOf } from "./source.ts";

/** An element of the document with the reason why it and each of its attributes are there. */
export interface DomainElement {
  readonly kind: "element";
  readonly name: string;
  readonly attributes: readonly (readonly [name: string, value: Value])[];
  readonly content: DomainContent;
  readonly layout?: Layout;
  /** What the element's existence and its text depend on. */
  readonly sources: readonly Source[];
  /** The rule that writes it; children without one follow the rule of their parent. */
  readonly rule?: string;
}

export type DomainContent =
  | { readonly kind: "empty" }
  | { readonly kind: "text" | "cdata"; readonly value: Value }
  | { readonly kind: "children"; readonly nodes: readonly DomainNode[] };

/** Text of the administrator (or a checked text of the user), written verbatim. */
export interface DomainFragment {
  readonly kind: "fragment";
  readonly value: Value;
  readonly indented: boolean;
}

export type DomainNode = DomainElement | DomainFragment;

/** Something the log should say; not part of the document. */
export interface Warning {
  readonly kind: "warning";
  readonly text: string;
}

export type Part = DomainNode | Warning;

/** What may stand as attribute value: a value with sources, or a constant of the rule. */
export type AttributeInput = Value | string | number | undefined;

export interface ElementOptions {
  readonly because?: readonly (Sourced | undefined)[];
  readonly rule?: string;
  readonly layout?: Layout;
}

/** An element; attributes that are undefined are left out. Without children it is `<name/>`. */
export function element(name: string, attributes: Readonly<Record<string, AttributeInput>> = {}, nodes?: readonly DomainNode[], options: ElementOptions = {}): DomainElement {
  return build(name, attributes, nodes === undefined ? { kind: "empty" } : { kind: "children", nodes }, options);
}

/** `<name>text</name>` */
export function textElement(name: string, value: Value | string | number, options: ElementOptions = {}, attributes: Readonly<Record<string, AttributeInput>> = {}): DomainElement {
  return build(name, attributes, { kind: "text", value: toValue(value) }, options);
}

/** `<name><![CDATA[text]]></name>` */
export function cdataElement(name: string, value: Value, options: ElementOptions = {}, attributes: Readonly<Record<string, AttributeInput>> = {}): DomainElement {
  return build(name, attributes, { kind: "cdata", value }, options);
}

export function fragment(value: Value, indented: boolean): DomainFragment {
  return { kind: "fragment", value, indented };
}

export function warning(text: string): Warning {
  return { kind: "warning", text };
}

/** The parts that are written. */
export function nodesOf(parts: readonly Part[]): readonly DomainNode[] {
  return parts.filter((each): each is DomainNode => each.kind !== "warning");
}

/** The parts that are said. */
export function warningsOf(parts: readonly Part[]): readonly string[] {
  return parts.flatMap((each) => (each.kind === "warning" ? [each.text] : []));
}

/** An attribute that is left out when its value is empty. */
export function filled(value: Value): Value | undefined {
  return value.text === "" ? undefined : value;
}

function build(name: string, attributes: Readonly<Record<string, AttributeInput>>, content: DomainContent, options: ElementOptions): DomainElement {
  const text = content.kind === "text" || content.kind === "cdata" ? content.value : undefined;
  return {
    kind: "element", name, content,
    attributes: Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [[key, toValue(value)] as const])),
    sources: sourcesOf(...(options.because ?? []), text),
    ...(options.rule === undefined ? {} : { rule: options.rule }),
    ...(options.layout === undefined ? {} : { layout: options.layout }),
  };
}

function toValue(value: Value | string | number): Value {
  return typeof value === "object" ? value : { text: String(value), sources: [] };
}
