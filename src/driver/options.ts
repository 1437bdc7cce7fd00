import { OnevirtError } from "../core/errors.ts";
import { parseActionList } from "./action-list.ts";
import type { ActionList } from "./action-list.ts";

/** How the driver was asked to work (driver-protocol.md 7). */
export interface DriverOptions {
  /** Directory below `remotes/vmm`. */
  readonly hypervisor: string;
  readonly threads: number;
  readonly retries: number;
  readonly local: ActionList;
  readonly delegate: ActionList;
  readonly shell: string;
  readonly parallel: boolean;
  /** Seconds for each command: undefined is our own limits, 0 is no limit. */
  readonly timeoutSeconds: number | undefined;
  readonly dryRun: boolean;
  readonly traceFile: string | undefined;
}

type Kind = "flag" | "number" | "text";

interface Option {
  readonly long: string;
  readonly short?: string;
  readonly kind: Kind;
}

const OPTIONS: readonly Option[] = [
  { long: "threads", short: "t", kind: "number" },
  { long: "retries", short: "r", kind: "number" },
  { long: "local", short: "l", kind: "text" },
  { long: "delegate", short: "d", kind: "text" },
  { long: "shell", short: "s", kind: "text" },
  { long: "parallel", short: "p", kind: "flag" },
  { long: "timeout", short: "w", kind: "number" },
  { long: "dry-run", kind: "flag" },
  { long: "trace", kind: "text" },
];

/** Reads the arguments: several, or one string with blanks, which is how oned passes them. BAD_ARGUMENT names what is wrong. */
export function parseOptions(argv: readonly string[]): DriverOptions {
  const { values, words } = collect(argv.length === 1 ? (argv[0] ?? "").trim().split(/\s+/) : argv);
  const hypervisor = words[0] ?? "";
  if (!/^[\w.-]+$/.test(hypervisor) || hypervisor.startsWith(".")) throw new OnevirtError("BAD_ARGUMENT", "Cannot start: the name of the hypervisor directory is missing");
  const threads = leadingNumber(values.get("threads"), 15);
  if (threads < 1) throw new OnevirtError("BAD_ARGUMENT", "Cannot start: -t needs a number above 0");
  return {
    hypervisor, threads,
    retries: leadingNumber(values.get("retries"), 0),
    local: parseActionList(values.get("local") ?? ""),
    delegate: parseActionList(values.get("delegate") ?? "migrate"),
    shell: values.get("shell") ?? "bash",
    parallel: values.has("parallel"),
    timeoutSeconds: values.has("timeout") ? leadingNumber(values.get("timeout"), 0) : undefined,
    dryRun: values.has("dry-run"),
    traceFile: values.get("trace"),
  };
}

interface Collected {
  readonly values: Map<string, string>;
  readonly words: string[];
}

function collect(words: readonly string[]): Collected {
  const collected: Collected = { values: new Map(), words: [] };
  const rest = words.filter((word) => word !== "");
  while (rest.length > 0) take(rest, collected);
  return collected;
}

function take(rest: string[], { values, words }: Collected): void {
  const word = rest.shift() ?? "";
  if (word === "--") return void words.push(...rest.splice(0));
  const { option, value } = parseWord(word) ?? {};
  if (!option) return void words.push(word);
  values.set(option.long, value ?? argumentOf(option, rest));
}

/** A word that is an option, with the value that is part of it; bundled flags (`-pt5`) are not part of the contract. */
function parseWord(word: string): { readonly option: Option; readonly value: string | undefined } | undefined {
  if (!word.startsWith("-") || word === "-") return undefined;
  const [name = "", ...value] = word.startsWith("--") ? word.slice(2).split("=") : [word[1] ?? "", ...(word.length > 2 ? [word.slice(2)] : [])];
  const option = word.startsWith("--") ? longOption(name) : OPTIONS.find(({ short }) => short === name);
  if (!option || (option.kind === "flag" && value.length > 0)) throw new OnevirtError("BAD_ARGUMENT", `Cannot start: unknown option "${word}"`);
  return { option, value: value.length > 0 ? value.join("=") : undefined };
}

/** Long options may be shortened to a unique beginning. */
function longOption(name: string): Option | undefined {
  const found = OPTIONS.filter(({ long }) => name !== "" && long.startsWith(name));
  return found.find(({ long }) => long === name) ?? (found.length === 1 ? found[0] : undefined);
}

/** The next word, when it is no option. A number that is missing counts as 0, a text must be there. */
function argumentOf(option: Option, rest: string[]): string {
  if (option.kind === "flag") return "";
  if (rest[0] !== undefined && (option.kind === "text" || !/^-./.test(rest[0]))) return rest.shift() ?? "";
  if (option.kind === "number") return "";
  throw new OnevirtError("BAD_ARGUMENT", `Cannot start: --${option.long} needs a value`);
}

/** Leading digits count, anything else is 0. */
function leadingNumber(text: string | undefined, absent: number): number {
  return text === undefined ? absent : Number.parseInt(/^\d+/.exec(text)?.[0] ?? "0", 10);
}
