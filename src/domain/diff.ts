import type { XmlElement } from "../codec/xml.ts";
import { isAddition, sameValue } from "./diff-libvirt.ts";
import { elementsOf, withSectionsJoined } from "./rewrite.ts";

/** One difference that means something to libvirt. */
export interface Difference {
  readonly kind: "changed" | "only-in-a" | "only-in-b";
  readonly xpath: string;
  readonly a?: string;
  readonly b?: string;
}

/**
 * What distinguishes two domain documents. Order, white space, quotes, units of memory and spellings of numbers do not count.
 * When libvirt wrote one of the two and not the other, what libvirt adds by itself does not count either.
 */
export function diffDomains(a: XmlElement, b: XmlElement): readonly Difference[] {
  const completed = isWrittenByLibvirt(a) === isWrittenByLibvirt(b) ? undefined : isWrittenByLibvirt(a) ? "a" : "b";
  return elements(withSectionsJoined(a), withSectionsJoined(b), `/${a.name}`, completed);
}

/** The side that libvirt has completed. */
type Completed = "a" | "b" | undefined;

/** libvirt always names the unit of the memory; OpenNebula never does. */
function isWrittenByLibvirt(root: XmlElement): boolean {
  return elementsOf(root).some(({ name, attributes }) => name === "memory" && attributes["unit"] !== undefined);
}

function elements(a: XmlElement, b: XmlElement, path: string, completed: Completed): readonly Difference[] {
  if (a.name !== b.name) return [{ kind: "changed", xpath: path, a: a.name, b: b.name }];
  return [...texts(a, b, path, completed), ...attributes(a, b, path, completed), ...children(a, b, path, completed)];
}

function texts(a: XmlElement, b: XmlElement, path: string, completed: Completed): readonly Difference[] {
  const [left, right] = [textOf(a), textOf(b)];
  return sameValue(path, "", left, right, a, b, completed) ? [] : [{ kind: "changed", xpath: path, a: left, b: right }];
}

function attributes(a: XmlElement, b: XmlElement, path: string, completed: Completed): readonly Difference[] {
  const names = [...new Set([...Object.keys(a.attributes), ...Object.keys(b.attributes)])].filter((name) => !name.startsWith("xmlns") && name !== "unit");
  return names.flatMap((name): readonly Difference[] => {
    const [left, right] = [a.attributes[name], b.attributes[name]];
    const xpath = `${path}/@${name}`;
    if (left === undefined || right === undefined) return isAddition(completed, left === undefined ? "b" : "a", path, name, left ?? right) ? [] : [onlyIn(xpath, left, right)];
    return sameValue(path, name, left, right, a, b, completed) ? [] : [{ kind: "changed", xpath, a: left, b: right }];
  });
}

function children(a: XmlElement, b: XmlElement, path: string, completed: Completed): readonly Difference[] {
  const [left, right] = [keyed(a, path), keyed(b, path)];
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((xpath): readonly Difference[] => {
    const [before, after] = [left.get(xpath), right.get(xpath)];
    if (before && after) return elements(before, after, xpath, completed);
    const only = before ?? after;
    return isAddition(completed, before ? "a" : "b", path, only?.name ?? "") ? [] : [onlyIn(xpath, before && summary(before), after && summary(after))];
  });
}

function onlyIn(xpath: string, a: string | undefined, b: string | undefined): Difference {
  return a === undefined ? { kind: "only-in-b", xpath, b: b ?? "" } : { kind: "only-in-a", xpath, a };
}

/** What tells elements of one name apart: a path below each, the first that exists. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  disk: ["target/@dev"], interface: ["mac/@address", "target/@dev"], filesystem: ["target/@dir"], graphics: ["@type"], channel: ["target/@name", "@type"],
  cell: ["@id"], vcpupin: ["@vcpu"], memnode: ["@cellid"], sibling: ["@id"], feature: ["@name"], host: ["@name"], timer: ["@name"], parameter: ["@value"], input: ["@type"],
};

/** The child elements by paths that stay the same when the order changes. */
function keyed(parent: XmlElement, path: string): ReadonlyMap<string, XmlElement> {
  const found = new Map<string, XmlElement>();
  for (const child of elementsOf(parent)) {
    const base = `${path}/${child.name}${condition(child)}`;
    let xpath = base;
    for (let position = 2; found.has(xpath); position += 1) xpath = `${base}[${position}]`;
    found.set(xpath, child);
  }
  return found;
}

function condition(element: XmlElement): string {
  const { name, attributes } = element;
  if (name === "controller") return `[@type='${attributes["type"] ?? ""}'][@index='${attributes["index"] ?? ""}']`;
  if (name === "hostdev") return hostdev(element);
  const key = KEYS[name]?.map((each) => [each, follow(element, each)] as const).find(([, value]) => value !== undefined);
  return key ? `[${key[0]}='${key[1]}']` : "";
}

function hostdev(element: XmlElement): string {
  const source = elementsOf(element).find(({ name }) => name === "source");
  const address = source && elementsOf(source).find(({ name }) => name === "address");
  const values = address ? Object.values(address.attributes).map((value) => (/^0x[0-9a-f]+$/i.test(value) ? String(Number(value)) : value)) : [];
  return `[source/address='${values.join(":")}']`;
}

function follow(element: XmlElement, path: string): string | undefined {
  const [first = "", attribute] = path.split("/@");
  if (first.startsWith("@")) return element.attributes[first.slice(1)];
  return elementsOf(element).find(({ name }) => name === first)?.attributes[attribute ?? ""];
}

function textOf(element: XmlElement): string {
  return elementsOf(element).length > 0 ? "" : element.children.filter((child) => typeof child === "string").join("").trim();
}

function summary(element: XmlElement): string {
  const attributes = Object.entries(element.attributes).map(([name, value]) => ` ${name}='${value}'`).join("");
  return `<${element.name}${attributes}>${textOf(element)}`;
}
