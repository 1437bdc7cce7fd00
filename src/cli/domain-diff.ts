import { defineCommand } from "citty";
import { parseXml, type XmlElement } from "../codec/xml.ts";
import { OnevirtError } from "../core/errors.ts";
import { diffDomains, type Difference } from "../domain/diff.ts";
import { generateDomain } from "../domain/generate.ts";
import { domainInput } from "../domain/input.ts";
import { GENERATOR_OPTIONS, printWarnings, readGeneratorTexts } from "./domain-input.ts";
import { type ParsedWords, parseWords, printText, readText } from "./options.ts";

const OPTIONS = {
  a: { type: "positional", description: "Domain document or VM document (- is standard input), or a libvirt URI and the name of a running domain", required: false },
  b: { type: "positional", description: "The other side, likewise; with --vm what is generated from it", required: false },
  ...GENERATOR_OPTIONS,
  json: { type: "boolean", description: "Print JSON" },
} as const;

/** `onevirt domain diff`: exit 0 when both mean the same, 1 when they differ. */
export default defineCommand({
  meta: { name: "diff", description: "Compare two domain documents, or a running domain with what its VM document would give" },
  args: OPTIONS,
  async run({ rawArgs }) {
    const parsed = parseWords(rawArgs, OPTIONS);
    const [a, b, ...more] = await sides(parsed);
    if (!a || !b || more.length > 0) throw new OnevirtError("BAD_ARGUMENT", "Cannot compare: name two documents, or one and --vm FILE");
    const differences = diffDomains(a, b);
    printText(parsed.flags.has("json") ? `${JSON.stringify({ version: 1, differences }, null, 2)}\n` : differences.map(line).join(""));
    process.exitCode = differences.length > 0 ? 1 : 0;
  },
});

/** The documents that the words name, and the generated one last. */
async function sides(parsed: ParsedWords): Promise<readonly XmlElement[]> {
  const found: XmlElement[] = [];
  const words = [...parsed.words];
  for (let word = words.shift(); word !== undefined; word = words.shift())
    found.push(/^[a-z][a-z0-9+]*:\/\//i.test(word) ? await running(word, words.shift()) : await document(word, parsed));
  return parsed.values["vm"] === undefined ? found : [...found, await generated(parsed)];
}

async function document(path: string, parsed: ParsedWords): Promise<XmlElement> {
  const text = await readText(path);
  const isVm = /^\s*(<\?[^>]*\?>\s*)?<VM[\s>]/.test(text);
  return isVm ? generated(parsed, { name: path, text }) : parseXml(text, path === "-" ? "standard input" : path);
}

async function generated(parsed: ParsedWords, vm?: { readonly name: string; readonly text: string }): Promise<XmlElement> {
  const values = vm ? { ...parsed.values, vm: vm.name } : parsed.values;
  const texts = vm ? { ...(await readGeneratorTexts({ ...parsed, values: { ...values, vm: "/dev/null" } })), vm } : await readGeneratorTexts({ ...parsed, values });
  const { xml, warnings } = generateDomain(await domainInput(texts));
  printWarnings(warnings);
  return parseXml(xml, "the generated document");
}

async function running(uri: string, name: string | undefined): Promise<XmlElement> {
  if (name === undefined) throw new OnevirtError("BAD_ARGUMENT", `Cannot compare: name a domain after ${uri}`);
  const { runningDomain } = await import("./running-domain.ts");
  return parseXml(await runningDomain(uri, name), `domain "${name}"`);
}

function line({ kind, xpath, a, b }: Difference): string {
  if (kind === "changed") return `~ ${xpath}: ${JSON.stringify(a)} → ${JSON.stringify(b)}\n`;
  return kind === "only-in-a" ? `- ${xpath}: ${JSON.stringify(a)}\n` : `+ ${xpath}: ${JSON.stringify(b)}\n`;
}
