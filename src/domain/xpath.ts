import { OnevirtError } from "../core/errors.ts";

/** What a path can be followed through. */
export interface PathElement<Self> {
  readonly name: string;
  readonly text: string;
  readonly attributes: readonly PathAttribute[];
  readonly children: readonly Self[];
}

export interface PathAttribute {
  readonly name: string;
  readonly text: string;
}

/** Elements and attributes at the end of an XPath. */
export interface Selection<Element extends PathElement<Element>> {
  readonly elements: readonly Element[];
  readonly attributes: readonly Element["attributes"][number][];
}

/**
 * Follows the part of XPath that people use to point at something: `/a/b`, `//b`, `*`, `@c`, `text()`, and the conditions `[2]`,
 * `[last()]`, `[@c]`, `[@c='x']`, `[b/@c='x']`, `[b='x']`. BAD_ARGUMENT for anything else.
 */
export function selectXPath<Element extends PathElement<Element>>(root: Element, xpath: string): Selection<Element> {
  const steps = parseSteps(xpath.startsWith("/") ? xpath : `//${xpath}`, xpath);
  const document = { name: "", text: "", attributes: [], children: [root] } as unknown as Element;
  return follow([document], steps);
}

interface Step {
  readonly deep: boolean;
  readonly test: string;
  readonly conditions: readonly string[];
}

function parseSteps(xpath: string, whole: string): readonly Step[] {
  const pattern = /(\/\/?)(@?[\w:.-]+(?:\(\))?|@?\*)((?:\[(?:[^\]'"]|'[^']*'|"[^"]*")*\])*)/y;
  const steps: Step[] = [];
  for (let match = pattern.exec(xpath); match; match = pattern.exec(xpath)) {
    const conditions = [...(match[3] ?? "").matchAll(/\[((?:[^\]'"]|'[^']*'|"[^"]*")*)\]/g)].map((each) => (each[1] ?? "").trim());
    steps.push({ deep: match[1] === "//", test: match[2] ?? "", conditions });
    if (pattern.lastIndex === xpath.length) return steps;
  }
  throw new OnevirtError("BAD_ARGUMENT", `Cannot understand XPath "${whole}": use paths like /domain/devices/disk[2]/driver/@cache`);
}

function follow<Element extends PathElement<Element>>(start: readonly Element[], steps: readonly Step[]): Selection<Element> {
  let elements = start;
  for (const [position, step] of steps.entries()) {
    if (step.test === "text()" || step.test === ".") continue;
    const parents = step.deep ? elements.flatMap(withDescendants) : elements;
    if (step.test.startsWith("@")) return { elements: [], attributes: position === steps.length - 1 ? parents.flatMap((each) => attributesOf(each, step.test)) : [] };
    elements = parents.flatMap((parent) => step.conditions.reduce<readonly Element[]>(filter, parent.children.filter(({ name }) => step.test === "*" || name === step.test)));
  }
  return { elements: [...new Set(elements)], attributes: [] };
}

function attributesOf<Element extends PathElement<Element>>({ attributes }: Element, test: string): readonly Element["attributes"][number][] {
  return attributes.filter(({ name }) => test === "@*" || name === test.slice(1));
}

function withDescendants<Element extends PathElement<Element>>(element: Element): readonly Element[] {
  return [element, ...element.children.flatMap(withDescendants)];
}

function filter<Element extends PathElement<Element>>(elements: readonly Element[], condition: string): readonly Element[] {
  if (condition === "last()") return elements.slice(-1);
  if (/^\d+$/.test(condition)) return elements.slice(Number(condition) - 1, Number(condition));
  const [, path = "", wanted] = /^([^=]*?)\s*(?:=\s*(?:'([^']*)'|"([^"]*)"))?$/.exec(condition)?.map((each, index, all) => (index === 2 ? each ?? all[3] : each)) ?? [];
  const steps = parseSteps(path === "." || path === "text()" ? "/text()" : `/${path}`, condition);
  return elements.filter((element) => {
    const found = follow([element], steps);
    return [...found.attributes, ...found.elements].some(({ text }) => wanted === undefined || text === wanted);
  });
}
