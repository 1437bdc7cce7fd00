import type { XmlElement } from "../codec/xml.ts";
import { type WritableElement, writeXml } from "../codec/xml-write.ts";

/** The document with another name and UUID, so that it can be defined beside the domain it describes. */
export function renamed(root: XmlElement, name: string, uuid: string): XmlElement {
  const others = root.children.filter((child) => typeof child === "string" || (child.name !== "name" && child.name !== "uuid"));
  return { ...root, children: [leaf("name", name), leaf("uuid", uuid), ...others] };
}

/** The document with one `<devices>`: libvirt adds several up, its schema knows only one. */
export function withOneDevices(root: XmlElement): XmlElement {
  return withOne(root, "devices");
}

/** The document with each section once that libvirt adds up: devices, features and limits of the processors. */
export function withSectionsJoined(root: XmlElement): XmlElement {
  return ["devices", "features", "cputune"].reduce(withOne, root);
}

function withOne(root: XmlElement, section: string): XmlElement {
  const all = elementsOf(root).filter(({ name }) => name === section);
  const [first] = all;
  if (!first || all.length === 1) return root;
  const merged = { ...first, children: all.flatMap(({ children }) => children) };
  return { ...root, children: root.children.flatMap((child) => (typeof child === "string" || child.name !== section ? child : child === first ? merged : [])) };
}

/** A document that was read, as text again. White space between elements and comments are not kept. */
export function toText(root: XmlElement): string {
  return writeXml(writable(root));
}

/** The child elements. */
export function elementsOf(element: XmlElement): readonly XmlElement[] {
  return element.children.filter((child): child is XmlElement => typeof child === "object");
}

function writable(element: XmlElement): WritableElement {
  const inner = elementsOf(element);
  const text = element.children.filter((child) => typeof child === "string").join("");
  const attributes = Object.entries(element.attributes).map(([name, value]) => [name, { text: value }] as const);
  if (inner.length > 0) return { kind: "element", name: element.name, attributes, content: { kind: "children", nodes: inner.map(writable) } };
  return { kind: "element", name: element.name, attributes, content: text === "" ? { kind: "empty" } : { kind: "text", value: { text } } };
}

function leaf(name: string, text: string): XmlElement {
  return { name, attributes: {}, children: [text] };
}
