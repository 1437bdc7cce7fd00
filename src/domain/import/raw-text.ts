import type { XmlElement } from "../../codec/xml.ts";
import { elementsOf, toText } from "../rewrite.ts";
import type { RawPiece } from "./piece.ts";

/**
 * An element as text for RAW: quotes and `]]>`, which a template cannot hold everywhere, are written as references, and so are
 * characters that a terminal would obey.
 */
export function rawText(element: XmlElement): string {
  return toText(withoutRuntime(element)).replaceAll("]]>", "]]&gt;").replaceAll('"', "&quot;").replace(/[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (each) => `&#${each.charCodeAt(0)};`).trimEnd();
}

/** An element on one line, for a remark. */
export function lineOf(element: XmlElement): string {
  const line = rawText(element).replace(/\s*\n\s*/g, "");
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line;
}

const LONGEST_LINE = 300;

/** Whether an element has no attributes and no child elements beyond these; what libvirt gives a running device does not count. */
export function hasOnly(element: XmlElement, attributes: readonly string[], children: readonly string[] = []): boolean {
  const others = elementsOf(element).filter(({ name }) => ![...children, "alias", "address"].includes(name));
  return Object.keys(element.attributes).every((name) => attributes.includes(name)) && others.length === 0;
}

/** All RAW pieces as one text: each section once, because OpenNebula refuses two `<devices>` in one RAW. */
export function rawData(pieces: readonly RawPiece[]): string {
  const of = (parent: string) => pieces.filter((each) => each.parent === parent).map(({ element }) => element);
  const sections = ["features", "cputune", "devices"].map((name): XmlElement => ({ name, attributes: {}, children: of(name) }));
  return [...of("domain"), ...sections.filter(({ children }) => children.length > 0)].map(rawText).join("\n");
}

/** Without what libvirt gave the running domain alone: aliases, PCI addresses, terminals, sockets of its own. */
function withoutRuntime(element: XmlElement): XmlElement {
  const inner = elementsOf(element);
  const children = inner.length === 0 ? element.children : inner.filter((child) => !isRuntime(child, element)).map(withoutRuntime);
  const dropped = element.name === "target" ? ["state"] : element.name === "console" ? ["tty"] : element.name === "source" ? ["index", "portid"] : [];
  return { ...element, attributes: Object.fromEntries(Object.entries(element.attributes).filter(([name]) => !dropped.includes(name))), children };
}

function isRuntime(own: XmlElement, parent: XmlElement): boolean {
  const { name, attributes } = own;
  if (name === "alias" && DEVICES_WITH_ALIAS.test(attributes["name"] ?? "")) return true;
  if (name === "address") return PLACES.includes(attributes["type"] ?? "") && parent.name !== "source";
  if (name === "target" && parent.name === "interface") return GENERATED_DEVICE.test(attributes["dev"] ?? "") && hasOnly(own, ["dev"]);
  if (name !== "source" || !hasOnly(own, ["path", "mode"])) return false;
  const path = attributes["path"] ?? "";
  return (parent.attributes["type"] === "pty" && path.startsWith("/dev/pts/")) || /\/(channel\/target|target)\/domain-/.test(path);
}

/** Kinds of places that libvirt finds by itself. */
const PLACES = ["pci", "usb", "virtio-serial"];

/** Names that libvirt gives to devices of NICs; it takes them back when the domain ends. */
export const GENERATED_DEVICE = /^(vnet|vif|macvtap|macvlan)\d+$/;

/** Names that users give begin with ua-; everything else is libvirt's. */
const DEVICES_WITH_ALIAS = /^(?!ua-)/;
