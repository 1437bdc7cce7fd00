import { defineCommand } from "citty";
import { OnevirtError } from "../core/errors.ts";
import { describeSource, type ExplainedElement, type Explanation, explanations, explainTree } from "../domain/explain.ts";
import { generateDomain } from "../domain/generate.ts";
import { domainInput } from "../domain/input.ts";
import { selectXPath } from "../domain/xpath.ts";
import { GENERATOR_OPTIONS, printWarnings, readGeneratorTexts } from "./domain-input.ts";
import { noWords, parseWords, printText } from "./options.ts";

const OPTIONS = {
  ...GENERATOR_OPTIONS,
  why: { type: "string", valueHint: "XPATH", description: "Only these elements or attributes, with the reasons of what they stand in" },
  json: { type: "boolean", description: "Print JSON" },
} as const;

/** `onevirt domain explain`: where each element and attribute comes from. */
export default defineCommand({
  meta: { name: "explain", description: "Say of each element and attribute of a VM's document where it comes from" },
  args: OPTIONS,
  async run({ rawArgs }) {
    const parsed = noWords(parseWords(rawArgs, OPTIONS));
    const { root, warnings } = generateDomain(await domainInput(await readGeneratorTexts(parsed)));
    const tree = explainTree(root);
    const xpath = parsed.values["why"];
    const nodes = xpath === undefined ? explanations(tree) : reasons(tree, xpath);
    printWarnings(warnings);
    printText(parsed.flags.has("json") ? `${JSON.stringify({ version: 1, nodes }, null, 2)}\n` : asText(nodes));
  },
});

/** What a path selects, each with the elements it stands in first. */
function reasons(tree: ExplainedElement, xpath: string): readonly Explanation[] {
  const { elements, attributes } = selectXPath(tree, xpath);
  const selected = [...elements, ...attributes].map((each) => each.xpath);
  if (selected.length === 0) throw new OnevirtError("BAD_ARGUMENT", `Cannot explain "${xpath}": the document has no such element or attribute`);
  const attributesOfElements = new Set(elements.flatMap((each) => each.attributes.map((attribute) => attribute.xpath)));
  return explanations(tree).filter((each) => attributesOfElements.has(each.xpath) || selected.some((path) => path === each.xpath || (each.kind === "element" && path.startsWith(`${each.xpath}/`))));
}

function asText(nodes: readonly Explanation[]): string {
  return nodes.map(({ xpath, kind, value, sources }) => `${xpath}${kind === "attribute" || value !== "" ? ` = ${JSON.stringify(value)}` : ""}\n    ${sources.map(describeSource).join("; ")}\n`).join("");
}
