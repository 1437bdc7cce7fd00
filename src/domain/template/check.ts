import type { Attributes } from "../../codec/attributes.ts";
import { checkPerformance } from "./advice.ts";
import { checkCombinations } from "./combinations.ts";
import type { Finding } from "./finding.ts";
import { checkValues } from "./values.ts";
import { TemplateView } from "./view.ts";
import { knows, nearest, OTHER_VECTORS, SINGLES, VECTORS } from "./vocabulary.ts";

/** Everything worth saying about a VM template before anybody instantiates it, in the order of the text. */
export function checkTemplate(attributes: Attributes): readonly Finding[] {
  const view = new TemplateView(attributes);
  const findings = [...checkNames(view), ...checkValues(view), ...checkCombinations(view), ...checkPerformance(view)];
  return findings.toSorted((a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0) || (a.at?.column ?? 0) - (b.at?.column ?? 0));
}

/** Names that nothing reads. A top-level name may be the user's own; a key of a known vector hardly ever is. */
function checkNames(view: TemplateView): readonly Finding[] {
  const vectors = [...new Set(view.attributes.filter(({ kind }) => kind === "vector").map(({ name }) => name))];
  return [
    ...view.attributes.flatMap((each) => (each.kind === "single" ? singleName(view, each.name) : [])),
    ...vectors.flatMap((name) => (VECTORS[name] ? keyNames(view, name) : vectorName(view, name))),
  ];
}

function singleName(view: TemplateView, name: string): readonly Finding[] {
  if (knows(SINGLES, name)) return [];
  if (VECTORS[name] && name !== "CONTEXT") return [view.finding(name === "RAW" ? "error" : "warning", name, `${name} must be a vector: ${name} = [ … ]`)];
  return [unknown(view.finding("advice", name, ""), name, nearest([...SINGLES.keys, ...Object.keys(VECTORS)], name))];
}

function vectorName(view: TemplateView, name: string): readonly Finding[] {
  const vector = view.vectors(name)[0];
  if (!vector || OTHER_VECTORS.has(name)) return [];
  if (SINGLES.keys.has(name)) return [vector.finding("warning", "", `${name} must be a single value: ${name} = "…"`)];
  return [unknown(vector.finding("advice", "", ""), name, nearest([...Object.keys(VECTORS), ...SINGLES.keys], name))];
}

function keyNames(view: TemplateView, name: string): readonly Finding[] {
  const names = VECTORS[name];
  if (!names) return [];
  return view.vectors(name).flatMap((vector) => vector.keys.filter((key) => !knows(names, key)).map((key) => {
    const like = key === "MODE" && name.startsWith("NIC") ? "MODEL" : nearest(names.keys, key);
    return { ...vector.finding("warning", key, ""), message: `${name} knows no ${key}${like ? `: ${like}?` : ", it has no effect"}` };
  }));
}

/** A near miss is probably a slip of the pen; anything else is probably meant. */
function unknown(finding: Finding, name: string, like: string | undefined): Finding {
  return like ? { ...finding, severity: "warning", message: `${name} is not known: ${like}?` } : { ...finding, message: `${name} is not known to OpenNebula and stays as an attribute of your own` };
}
