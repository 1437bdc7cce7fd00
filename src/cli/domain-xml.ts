import type { CommandDef } from "citty";
import { generateDomain } from "../domain/generate.ts";
import { domainInput } from "../domain/input.ts";
import { GENERATOR_OPTIONS, printWarnings, readGeneratorTexts } from "./domain-input.ts";
import { noWords, parseWords, printText } from "./options.ts";

/** `onevirt domain xml`: the document on stdout, warnings on stderr. Needs no citty, so that scripts can afford it often. */
export async function domainXml(argv: readonly string[]): Promise<void> {
  const parsed = noWords(parseWords(argv, GENERATOR_OPTIONS));
  const { xml, warnings } = generateDomain(await domainInput(await readGeneratorTexts(parsed)));
  printWarnings(warnings);
  printText(xml);
}

export default {
  meta: { name: "xml", description: "Print the libvirt document of a VM" },
  args: GENERATOR_OPTIONS,
  run: ({ rawArgs }) => domainXml(rawArgs),
} satisfies CommandDef<typeof GENERATOR_OPTIONS>;
