import type { Attribute, Attributes } from "../../../src/codec/attributes.ts";
import type { ExplainedElement } from "../../../src/domain/explain.ts";
import type { DomainInput } from "../../../src/domain/input.ts";
import { Level } from "../../../src/domain/levels.ts";
import type { Source } from "../../../src/domain/source.ts";

/** The parsed templates behind an input, so that a test can change one value and generate again. */
export interface Templates {
  readonly vm: Attributes;
  readonly host: Attributes;
  readonly cluster: Attributes;
  readonly defaults: Attributes;
}

/** The same input with other templates. */
export function withTemplates(input: DomainInput, { vm, host, cluster, defaults }: Templates): DomainInput {
  return {
    ...input,
    vm: { ...input.vm, template: vm },
    levels: {
      vm: new Level("vm", vm, { root: "/VM/TEMPLATE/" }), host: new Level("host", host, { root: "", file: "host" }),
      cluster: new Level("cluster", cluster, { root: "", file: "cluster" }), defaults: new Level("defaults", defaults, { root: "", file: "defaults" }),
    },
  };
}

/** The templates with the value of one source replaced; undefined when the source is no value of a template. */
export function mutated(templates: Templates, { kind, name }: Source, value: string): Templates | undefined {
  if (kind === "rule" || kind === "option" || (kind === "vm" && !name.startsWith("/VM/TEMPLATE/"))) return undefined;
  const [vector = "", key] = name.replace("/VM/TEMPLATE/", "").split("/");
  const [, plain = "", position = "1"] = /^(\w+)(?:\[(\d+)\])?$/.exec(vector) ?? [];
  let seen = 0;
  const change = (each: Attribute): Attribute => {
    if (each.name !== plain || (each.kind === "vector") !== (key !== undefined)) return each;
    seen += 1;
    if (seen !== Number(position)) return each;
    return each.kind === "single" ? { ...each, value } : { ...each, entries: new Map([...each.entries].map(([k, entry]) => [k, k === key ? { ...entry, value } : entry])) };
  };
  return { ...templates, [kind]: templates[kind].map(change) };
}

/** A value of the same kind. */
export function otherValue(value: string): string {
  if (/^\d+$/.test(value)) return String(Number(value) + 1);
  if (/^(yes|no)$/i.test(value)) return /^yes$/i.test(value) ? "NO" : "YES";
  return value.includes("<") ? value.replace(/^\s*<\w+[^>]*\/>/, "") : `x${value}`;
}

/** A node that differs between two documents, with all sources that it and the elements around it name. */
export interface Change {
  readonly xpath: string;
  readonly named: readonly Source[];
}

/** Elements and attributes that differ, seen from the document in which they stand. */
export function changes(before: ExplainedElement, after: ExplainedElement, around: readonly Source[] = [], aroundAfter: readonly Source[] = []): readonly Change[] {
  const [named, namedAfter] = [[...around, ...before.sources], [...aroundAfter, ...after.sources]];
  const own: Change[] = before.text === after.text ? [] : [{ xpath: before.xpath, named: [...named, ...namedAfter] }];
  for (const attribute of before.attributes) {
    const other = after.attributes.find(({ name }) => name === attribute.name);
    if (other?.text !== attribute.text) own.push({ xpath: attribute.xpath, named: [...named, ...attribute.sources, ...(other?.sources ?? [])] });
  }
  for (const attribute of after.attributes)
    if (!before.attributes.some(({ name }) => name === attribute.name)) own.push({ xpath: attribute.xpath, named: [...namedAfter, ...attribute.sources] });
  const names = [...new Set([...before.children, ...after.children].map(({ name }) => name))];
  return [...own, ...names.flatMap((name) => listChanges(before.children.filter((each) => each.name === name), after.children.filter((each) => each.name === name), named, namedAfter))];
}

function listChanges(before: readonly ExplainedElement[], after: readonly ExplainedElement[], around: readonly Source[], aroundAfter: readonly Source[]): readonly Change[] {
  if (before.length === after.length) return before.flatMap((each, index) => changes(each, after[index] as ExplainedElement, around, aroundAfter));
  const keys = new Set([...before, ...after].map(key));
  return [...keys].flatMap((which) => {
    const [old, now] = [before.filter((each) => key(each) === which), after.filter((each) => key(each) === which)];
    const same = Math.min(old.length, now.length);
    return [
      ...old.slice(0, same).flatMap((each, index) => changes(each, now[index] as ExplainedElement, around, aroundAfter)),
      ...old.slice(same).map((each) => ({ xpath: each.xpath, named: [...around, ...each.sources] })),
      ...now.slice(same).map((each) => ({ xpath: each.xpath, named: [...aroundAfter, ...each.sources] })),
    ];
  });
}

/** What tells elements of one name apart. */
function key({ name, attributes, children }: ExplainedElement): string {
  const value = (attribute: string) => attributes.find((each) => each.name === attribute)?.text ?? "";
  if (name === "devices") return children.map((each) => each.name).includes("emulator") ? "" : children.map((each) => each.xpath.replace(/\[\d+\]/g, "")).join();
  if (name === "controller") return `${value("type")}${value("index")}`;
  if (name === "disk") return children.find((each) => each.name === "source")?.attributes.map(({ text }) => text).join() ?? "";
  return name === "host" || name === "feature" ? attributes.map(({ text }) => text).join() : "";
}
