import { parseTemplate } from "../../codec/template.ts";
import type { XmlElement } from "../../codec/xml.ts";
import { architectureOf, embeddedDefaults } from "../defaults.ts";
import { diffDomains } from "../diff.ts";
import { parseFragment } from "../fragment.ts";

/** A text of the driver defaults for an architecture. */
export function defaultText(arch: string, name: string): string {
  const { text } = embeddedDefaults(architectureOf(arch === "aarch64" ? "aarch64" : "x86_64"));
  const found = parseTemplate(text, "the driver defaults").find((each) => each.name === name);
  return found?.kind === "single" ? found.value : "";
}

/** Whether two texts of elements mean the same to libvirt. */
export function sameElements(a: string, b: string): boolean {
  const tree = (text: string): XmlElement => parseFragment(text, "the elements");
  return diffDomains(tree(a), tree(b)).length === 0;
}
