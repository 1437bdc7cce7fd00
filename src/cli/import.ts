import { defineCommand } from "citty";
import { parseMounts } from "../codec/kernel-text.ts";
import { findTree, readSettings } from "../context.ts";
import { OnevirtError } from "../core/errors.ts";
import { reportImport, reportJson, reportText } from "../domain/import/report.ts";
import { oneOf, parseWords, printText, readText } from "./options.ts";
import { runningDomain } from "./running-domain.ts";

const OPTIONS = {
  vm: { type: "positional", description: "libvirt name, UUID or id of the domain", required: false },
  file: { type: "string", valueHint: "XML|-", description: "Import this domain document instead (- is standard input)" },
  libvirt: { type: "string", valueHint: "URI", description: "Connection to libvirt; default: LIBVIRT_URI of kvmrc" },
  cgroups: { type: "string", valueHint: "1|2", description: "Version of the cgroups of the domain's host: what a share of the processors is; default: that of this host" },
  passwords: { type: "boolean", description: "Make the password of the display part of the template" },
  json: { type: "boolean", description: "Print JSON: template, notes, differences" },
} as const;

/** `onevirt import`: a running domain as a VM template, with everything in comments that the template does not carry. */
export default defineCommand({
  meta: { name: "import", description: "Print a VM template for a domain that OpenNebula did not start, and what a VM of it would have otherwise" },
  args: OPTIONS,
  async run({ rawArgs }) {
    const { words: [vm, ...more], values, flags } = parseWords(rawArgs, OPTIONS);
    const file = values["file"];
    if ((vm === undefined) === (file === undefined) || more.length > 0) throw new OnevirtError("BAD_ARGUMENT", "Cannot import: name one domain, or a document with --file");
    const passwords = flags.has("passwords");
    const cgroups = oneOf("cgroups", values["cgroups"], ["1", "2"]) ?? (await cgroupsHere());
    const xml = file === undefined ? await runningDomain(values["libvirt"] ?? (await configuredUri()), vm ?? "", { secure: passwords }) : await readText(file);
    const report = await reportImport(xml, file === undefined ? `domain "${vm}"` : file === "-" ? "standard input" : file, { cgroups: cgroups === "1" ? 1 : 2, passwords });
    printText(flags.has("json") ? reportJson(report) : reportText(report));
  },
});

/** As soon as one hierarchy of version 1 is mounted, libvirt uses it. */
async function cgroupsHere(): Promise<"1" | "2"> {
  return parseMounts(await readText("/proc/self/mounts")).some(({ type }) => type === "cgroup") ? "1" : "2";
}

async function configuredUri(): Promise<string> {
  const tree = findTree(process.env, process.execPath);
  const { settings } = await readSettings({ tree, tracer: undefined });
  return settings.kvmrc.LIBVIRT_URI;
}
