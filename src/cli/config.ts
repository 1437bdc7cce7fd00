import { defineCommand } from "citty";
import type { RunBash } from "../config/bash.ts";
import type { Finding } from "../config/check.ts";
import type { Shown } from "../config/show.ts";
import type { Source, Sources } from "../config/sources.ts";
import type { Value } from "../core/settings.ts";

/** What the commands work on: files already found, and the ways to learn more. */
export interface ConfigInput {
  readonly sources: Sources;
  readonly actionNames: readonly string[];
  readonly runBash: RunBash;
}

/** What a command has to say, and its exit status. */
export interface Report {
  readonly text: string;
  readonly exitCode: number;
}

/** `config show`: each setting, its value and where that comes from. A file that cannot be used is thrown as BAD_CONFIG. */
export async function showConfig({ sources, actionNames, runBash }: ConfigInput, json: boolean): Promise<Report> {
  const { show } = await import("../config/show.ts");
  const settings = await show(sources, actionNames, runBash);
  const text = json ? JSON.stringify({ version: 1, files: filesOf(sources), settings }, null, 2) : await showText(settings);
  return { text, exitCode: 0 };
}

/** `config check`: everything wrong or suspicious, by file and line; 1 only when an action would stop because of it. */
export async function checkConfig({ sources, actionNames, runBash }: ConfigInput, json: boolean): Promise<Report> {
  const { check } = await import("../config/check.ts");
  const findings = await check(sources, actionNames, runBash);
  const text = json ? JSON.stringify({ version: 1, files: filesOf(sources), findings }, null, 2) : checkText(findings, sources);
  return { text, exitCode: findings.some(({ severity }) => severity === "error") ? 1 : 0 };
}

const args = { json: { type: "boolean", description: "Print JSON" } } as const;

/** `onevirt config …`, for the root command. */
export const configCommand = defineCommand({
  meta: { name: "config", description: "Show the configuration and where it comes from, or check it" },
  subCommands: {
    show: defineCommand({
      meta: { name: "show", description: "Show each setting, its value, where that comes from, and what it means" },
      args,
      run: async ({ args: { json } }) => print(await showConfig(await openInput(), json === true)),
    }),
    check: defineCommand({
      meta: { name: "check", description: "Name everything wrong or suspicious in kvmrc and onevirt.conf" },
      args,
      run: async ({ args: { json } }) => print(await checkConfig(await openInput(), json === true)),
    }),
  },
});

export default configCommand;

async function openInput(): Promise<ConfigInput> {
  const [{ actions }, { findSources }, { findTree }, { Deadline }, { systemClock }, { HostCommands }, { HostFiles }] = await Promise.all([
    import("../actions/table.ts"),
    import("../config/sources.ts"),
    import("../context.ts"),
    import("../core/deadline.ts"),
    import("../host/clock.ts"),
    import("../host/commands.ts"),
    import("../host/files.ts"),
  ]);
  const commands = new HostCommands();
  const sources = findSources(findTree(process.env, process.execPath), new HostFiles());
  return { sources, actionNames: Object.keys(actions), runBash: (argv, seconds) => commands.run(argv, Deadline.after(seconds, systemClock)) };
}

function print({ text, exitCode }: Report): void {
  console.log(text);
  process.exitCode = exitCode;
}

async function showText(settings: readonly Shown[]): Promise<string> {
  const { describeOrigin } = await import("../config/raw.ts");
  return settings
    .map(({ name, value, unit, origin, about, problem }) => {
      const bad = problem === undefined ? "" : `  unusable: ${problem}\n`;
      return `${name} = ${valueText(value)}${unit && value !== "" && value !== null ? ` ${unit}` : ""}  (${describeOrigin(origin)})\n${bad}  ${about}`;
    })
    .join("\n");
}

/** Text as a shell would take it back; a flag as kvmrc writes it. */
function valueText(value: Value): string {
  if (value === null) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  const text = typeof value === "object" ? value.join(" ") : String(value);
  return /^[\w./:+=,@%-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function checkText(findings: readonly Finding[], sources: Sources): string {
  const files = filesOf(sources);
  const count = (severity: Finding["severity"]) => `${severity}s ${findings.filter((finding) => finding.severity === severity).length}`;
  const summary = `${files.length === 0 ? "No configuration file found, every setting has its default" : `Checked ${files.join(", ")}`}: ${count("error")}, ${count("warning")}, ${count("notice")}`;
  return [...findings.map(findingText), summary].join("\n");
}

function findingText({ severity, path, line, name, text, hint }: Finding): string {
  return `${severity}  ${path}${line === undefined ? "" : `:${line}`}  ${name === undefined ? "" : `${name}: `}${text}${hint === undefined ? "" : ` (${hint})`}`;
}

function filesOf({ kvmrc, own }: Sources): string[] {
  return [kvmrc, ...own].filter((source): source is Source => source !== undefined).map(({ path }) => path);
}
