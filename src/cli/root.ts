import type { CommandDef } from "citty";
import type { Action } from "../actions/action.ts";
import { actions, findAction } from "../actions/table.ts";
import { ERRORS, messageOf, OnevirtError } from "../core/errors.ts";
import { people } from "./people.ts";

/** One command for people; its file is loaded only when it is the one that was asked for. */
interface OperatorCommand {
  readonly summary: string;
  readonly load: () => Promise<{ readonly default: CommandDef<never> }>;
}

/** What people type, besides the actions. */
const commands: Readonly<Record<string, OperatorCommand>> = {
  domain: { summary: "Generate, explain, compare and validate libvirt domain documents", load: () => asCommand(import("./domain.ts")) },
  template: { summary: "Check a VM template before anybody instantiates it", load: () => asCommand(import("./template.ts")) },
  import: { summary: "Print a VM template for a domain that OpenNebula did not start", load: () => asCommand(import("./import.ts")) },
  root: { summary: "Put the helpers that need root where oneadmin cannot write them", load: () => asCommand(import("./root-helpers.ts")) },
  guest: { summary: "Freeze and thaw the file systems of a guest, for a snapshot of its disks", load: () => asCommand(import("./guest.ts")) },
  config: { summary: "Show the configuration and where it comes from, or check it", load: () => asCommand(import("./config.ts")) },
  remotes: { summary: "Write, install or take back the tree that onehost sync ships", load: () => asCommand(import("./remotes.ts")) },
};

/** Commands that main serves itself, because oned waits for them. */
const DIRECT: Readonly<Record<string, string>> = {
  vmm: "Run one action as oned does: onevirt vmm ACTION ARGUMENTS…",
  driver: "Be oned's driver process, or show what it would do: onevirt driver --dry-run",
  probe: "Run one monitoring probe: onevirt probe vm/status/state",
  agent: "Be the monitoring agent of this host, or show what it does: onevirt agent status",
  collectd: "Be the monitoring client of this host for a front-end of 5.x: onevirt collectd --help",
  version: "Print version, build and what it runs on (--json)",
  help: "Explain a command or an action: onevirt help deploy",
};

/** What an action reads, by the word in its row. */
const STDIN = { none: "not read", domain: "the libvirt domain document, as XML or base64", message: "the driver message, as XML or base64" } as const;

/** Runs an operator command. Gives the exit code: 0, 1 for a failure, 2 for a wrong call. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const [name = "help", ...rest] = argv;
  if (name === "help" || name === "--help" || name === "-h") return help(rest);
  if (name === "vmm") return help([]);
  if (name === "domain" && rest[0] === "xml" && !wantsHelp(rest)) return withoutCitty((await import("./domain-xml.ts")).domainXml, rest.slice(1));
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) return wrongCall(`unknown command ${JSON.stringify(name)}; onevirt help lists them`);
  return runOperatorCommand(name, (await command.load()).default, rest);
}

/** A command that scripts call often reads its options itself; citty would cost as much as its work. */
async function withoutCitty(run: (argv: readonly string[]) => Promise<void>, argv: readonly string[]): Promise<number> {
  try {
    await run(argv);
    return 0;
  } catch (error) {
    return report(error);
  }
}

function wantsHelp(argv: readonly string[]): boolean {
  return argv.includes("--help") || argv.includes("-h");
}

async function runOperatorCommand(name: string, definition: CommandDef<never>, argv: readonly string[]): Promise<number> {
  const { renderUsage, runCommand } = await import("citty");
  const chosen = await choose(definition, argv);
  if (wantsHelp(argv)) {
    console.log(withoutColour(await renderUsage(chosen.definition, { meta: { name: ["onevirt", ...(chosen.path.length > 0 ? [name, ...chosen.path.slice(0, -1)] : [])].join(" ") } })));
    return 0;
  }
  const unknown = unknownOption(chosen.definition, chosen.rest);
  if (unknown) return wrongCall(`unknown option ${JSON.stringify(unknown)} of "onevirt ${[name, ...chosen.path].join(" ")}"`);
  try {
    process.exitCode = 0;
    await runCommand(definition, { rawArgs: [...argv] });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error);
  }
}

/** Follows the words that name sub-commands. citty does so too, but does not tell where it arrived. */
async function choose(definition: CommandDef<never>, argv: readonly string[]) {
  let current = definition;
  const path: string[] = [];
  for (const word of argv) {
    const inner = (await resolved(current.subCommands))?.[word];
    if (!inner) break;
    current = (await resolved(inner)) as unknown as CommandDef<never>;
    path.push(word);
  }
  return { definition: current, path, rest: argv.slice(path.length) };
}

/** citty accepts unknown options silently and shifts what follows them (style-models part 5). */
function unknownOption({ args }: CommandDef<never>, argv: readonly string[]): string | undefined {
  const known = Object.entries((args ?? {}) as Record<string, { alias?: string | readonly string[] }>).flatMap(([name, { alias = [] }]) => [name, `no-${name}`, ...[alias].flat()]);
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).find((word) => /^-./.test(word) && !known.includes(word.replace(/^--?/, "").split("=", 1)[0] ?? ""));
}

function help([name]: readonly string[]): number {
  const action = name === undefined ? undefined : findAction(name);
  if (name !== undefined && !action) return Object.hasOwn(commands, name) ? wrongCall(`for the options, run: onevirt ${name} --help`) : wrongCall(`there is no action ${JSON.stringify(name)}`);
  console.log(action ? actionHelp(name as string, action) : overview());
  return 0;
}

function overview(): string {
  const operator = [...Object.entries(commands).map(([name, { summary }]) => [name, summary] as const), ...Object.entries(DIRECT)];
  return [
    "onevirt: OpenNebula's KVM driver as one executable", "", "Commands:", columns(operator).join("\n"), "", "Actions (onevirt vmm ACTION, or a launcher of the remotes tree):",
    columns(Object.entries(actions).map(([name, { summary }]) => [name, summary])).join("\n"), "", "ONEVIRT_TRACE=FILE|- records each libvirt call, process and file written.",
  ].join("\n");
}

/** Words and what they mean, one below the other. */
function columns(rows: readonly (readonly [word: string, about: string])[]): readonly string[] {
  const width = Math.max(...rows.map(([word]) => word.length)) + 2;
  return rows.map(([word, about]) => `  ${word.padEnd(width)}${about}`);
}

function actionHelp(name: string, { summary, arguments: args, settings, limitSeconds, limitAdds, stdin }: Action): string {
  const limit = limitSeconds === null ? "none" : `${limitSeconds} s${limitAdds ? ` on top of ${limitAdds}` : ""}`;
  return [
    `onevirt vmm ${name} ${args.map((each) => (each.optional ? `[${each.name}]` : each.name)).join(" ")}`, "", summary, "",
    ...columns(args.map(({ name: word, about }) => [word, about])), "",
    `Standard input: ${STDIN[stdin]}`,
    `Limit: ${limit}; LIMIT_${name.toUpperCase()} in onevirt.conf changes it`, `Settings: ${settings.join(", ")}`,
    "Exit codes: 0 done; 1 not done; 2 wrong call; 3 outcome unknown",
  ].join("\n");
}

async function report(error: unknown): Promise<number> {
  const ours = error instanceof OnevirtError ? error : undefined;
  if ((error as Error).name === "CLIError") return wrongCall(Bun.stripANSI(messageOf(error))); // citty: unknown sub-command, missing argument
  (await people()).error(`${messageOf(error)}${ours?.hint ? ` (${ours.hint})` : ""}`);
  return ours ? ERRORS[ours.code].exit : 1;
}

function wrongCall(reason: string): number {
  console.error(`Cannot run onevirt: ${reason}`);
  return 2;
}

async function resolved<T>(value: T | Promise<T> | (() => T | Promise<T>) | undefined): Promise<T | undefined> {
  return typeof value === "function" ? await (value as () => T | Promise<T>)() : await value;
}

/** citty colours its usage even for a pipe. */
function withoutColour(text: string): string {
  return process.stdout.isTTY && !process.env.NO_COLOR ? text : Bun.stripANSI(text);
}

async function asCommand(module: Promise<{ readonly default: unknown }>): Promise<{ readonly default: CommandDef<never> }> {
  return { default: (await module).default as CommandDef<never> };
}
