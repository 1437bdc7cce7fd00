import { defineCommand } from "citty";
import { OnevirtError } from "../core/errors.ts";
import type { Finding } from "../domain/template/finding.ts";
import { parseWords, printText, readText } from "./options.ts";

const OPTIONS = {
  file: { type: "positional", description: "VM template, in template syntax or as XML document; - is standard input", required: false },
  json: { type: "boolean", description: "Print JSON" },
} as const;

const check = defineCommand({
  meta: { name: "check", description: "Name what is misspelt, out of range, refused later, or slow in a VM template; exit 1 when it cannot work" },
  args: OPTIONS,
  async run({ rawArgs }) {
    const { words: [path, ...more], flags } = parseWords(rawArgs, OPTIONS);
    if (path === undefined || more.length > 0) throw new OnevirtError("BAD_ARGUMENT", "Cannot check: name one template, or - for standard input");
    const [{ parseAttributes }, { checkTemplate }] = await Promise.all([import("../codec/vm-document.ts"), import("../domain/template/check.ts")]);
    const name = path === "-" ? "standard input" : path;
    const findings = checkTemplate(await parseAttributes(await readText(path), name));
    printText(flags.has("json") ? JSON.stringify({ version: 1, findings }, null, 2) : findings.map((each) => line(name, each)).join(""));
    process.exitCode = findings.some(({ severity }) => severity === "error") ? 1 : 0;
  },
});

/** `onevirt template …`: VM templates, looked at before anybody instantiates them. */
export default defineCommand({ meta: { name: "template", description: "Check VM templates" }, subCommands: { check } });

function line(file: string, { severity, attribute, message, at }: Finding): string {
  return `${file}${at ? `:${at.line}:${at.column}` : ""}: ${severity}: ${attribute}: ${message}\n`;
}
