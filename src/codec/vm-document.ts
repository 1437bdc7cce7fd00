import { OnevirtError } from "../core/errors.ts";
import { type Attribute, type Attributes, type Entry, trimmed } from "./attributes.ts";
import { parseTemplate } from "./template.ts";
import { findAll, findFirst, parseVmXml, textOf, type XmlElement } from "./xml.ts";

/** What a domain is generated from: the part of OpenNebula's VM document that matters here, values as they stand. */
export interface VmDocument {
  readonly id: string;
  readonly name: string;
  readonly uid: string;
  readonly gid: string;
  readonly userName: string;
  readonly groupName: string;
  /** Creation, seconds since 1970. */
  readonly startTime: string;
  readonly template: Attributes;
  /** Attributes that OpenNebula did not understand; nothing is generated from them. */
  readonly userTemplate: Attributes;
  /** The record with the highest SEQ. */
  readonly history: HistoryRecord | undefined;
}

export interface HistoryRecord {
  readonly hostId: string;
  readonly clusterId: string;
  readonly datastoreId: string;
  readonly vmMad: string;
  readonly startTime: string;
}

/** Reads `<VM>…</VM>`. An attribute with an empty value is kept apart from an absent one. */
export async function parseVmDocument(text: string, what: string): Promise<VmDocument> {
  const root = await parseVmXml(text, what);
  if (root.name !== "VM") throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: expected a VM document, found <${root.name}>`);
  return vmDocument(root);
}

/** Reads the attributes of a host or cluster: its XML document, or OpenNebula's template syntax. */
export async function parseAttributes(text: string, what: string): Promise<Attributes> {
  if (!text.trimStart().startsWith("<")) return trimmed(parseTemplate(text, what));
  const root = await parseVmXml(text, what);
  return attributesOf(root.name === "TEMPLATE" ? root : findFirst(root, "TEMPLATE"));
}

function vmDocument(root: XmlElement): VmDocument {
  const field = (name: string) => textOf(findFirst(root, name)) ?? "";
  return {
    id: field("ID"), name: field("NAME"), uid: field("UID"), gid: field("GID"), userName: field("UNAME"), groupName: field("GNAME"), startTime: field("STIME"),
    template: attributesOf(findFirst(root, "TEMPLATE")),
    userTemplate: attributesOf(findFirst(root, "USER_TEMPLATE")),
    history: lastRecord(findAll(root, "HISTORY_RECORDS", "HISTORY")),
  };
}

function lastRecord(records: readonly XmlElement[]): HistoryRecord | undefined {
  const sequence = (record: XmlElement) => Number(textOf(findFirst(record, "SEQ")) ?? -1);
  const last = records.toSorted((a, b) => sequence(a) - sequence(b)).at(-1);
  if (!last) return undefined;
  const field = (name: string) => textOf(findFirst(last, name)) ?? "";
  return { hostId: field("HID"), clusterId: field("CID"), datastoreId: field("DS_ID"), vmMad: field("VM_MAD"), startTime: field("STIME") };
}

function attributesOf(template: XmlElement | undefined): Attributes {
  return (template?.children ?? []).flatMap((child) => (typeof child === "string" ? [] : attribute(child)));
}

/** Compat: as OpenNebula reads stored templates, an element without any node (`<X/>`, `<X></X>`) is nothing at all. */
function attribute(element: XmlElement): readonly Attribute[] {
  const inner = element.children.filter((child): child is XmlElement => typeof child === "object");
  if (inner.length > 0) return [{ kind: "vector", name: element.name, entries: entriesOf(inner) }];
  return element.children.length > 0 ? [{ kind: "single", name: element.name, value: textOf(element) ?? "" }] : [];
}

function entriesOf(keys: readonly XmlElement[]): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const key of keys)
    if (key.children.length > 0 && !entries.has(key.name)) entries.set(key.name, { value: textOf(key) ?? "" });
  return entries;
}
