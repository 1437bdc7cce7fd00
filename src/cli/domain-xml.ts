import { defineCommand } from "citty";
import { generateDomain } from "../domain/generate.ts";
import { domainInput } from "../domain/input.ts";
import { GENERATOR_OPTIONS, printWarnings, readGeneratorTexts } from "./domain-input.ts";
import { noWords, parseWords, printText } from "./options.ts";

/** `onevirt domain xml`: the document on stdout, warnings on stderr. */
export default defineCommand({
  meta: { name: "xml", description: "Print the libvirt document of a VM" },
  args: GENERATOR_OPTIONS,
  async run({ rawArgs }) {
    const parsed = noWords(parseWords(rawArgs, GENERATOR_OPTIONS));
    const { xml, warnings } = generateDomain(await domainInput(await readGeneratorTexts(parsed)));
    printWarnings(warnings);
    printText(xml);
  },
});
