import { OnevirtError } from "../core/errors.ts";

/** Options and positional words of a command line, taken apart strictly: nothing unknown is dropped or shifted. */
export interface ParsedWords {
  readonly values: Readonly<Record<string, string>>;
  readonly flags: ReadonlySet<string>;
  readonly words: readonly string[];
}

/** The form in which citty describes options; its help is made from the same table. */
export type OptionTable = Readonly<Record<string, { readonly type: "string" | "boolean" | "positional"; readonly description: string; readonly valueHint?: string; readonly required?: boolean }>>;

/** Takes `--name value`, `--name=value` and `--flag` apart; `-` is an ordinary word, and after `--` everything is. BAD_ARGUMENT otherwise. */
export function parseWords(argv: readonly string[], table: OptionTable): ParsedWords {
  const values: Record<string, string> = {};
  const flags = new Set<string>();
  const words: string[] = [];
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "--") return { values, flags, words: [...words, ...rest] };
    if (!word.startsWith("--")) words.push(word);
    else option(word, rest, table, values, flags);
  }
  return { values, flags, words };
}

function option(word: string, rest: string[], table: OptionTable, values: Record<string, string>, flags: Set<string>): void {
  const [name = "", attached] = word.slice(2).split(/=(.*)/s);
  const known = Object.hasOwn(table, name) ? table[name] : undefined;
  if (!known || known.type === "positional") throw new OnevirtError("BAD_ARGUMENT", `Cannot understand option "--${name}"`);
  if (known.type === "boolean") {
    if (attached !== undefined) throw new OnevirtError("BAD_ARGUMENT", `Cannot use option "--${name}": it takes no value`);
    flags.add(name);
    return;
  }
  const value = attached ?? rest.shift();
  if (value === undefined) throw new OnevirtError("BAD_ARGUMENT", `Cannot use option "--${name}": its value is missing`);
  values[name] = value;
}

/** The value, when it is one of those allowed. */
export function oneOf<const T extends string>(name: string, value: string | undefined, allowed: readonly T[]): T | undefined {
  if (value === undefined) return undefined;
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new OnevirtError("BAD_ARGUMENT", `Cannot use --${name} "${value}": expected ${allowed.join(" or ")}`);
  return found;
}

/** Writes a text that ends in a newline, or none, to stdout. (Bun.write would begin at the start of a file that stdout goes to.) */
export function printText(text: string): void {
  if (text !== "") console.log(text.endsWith("\n") ? text.slice(0, -1) : text);
}

/** Text of a file; `-` is standard input. */
export async function readText(path: string): Promise<string> {
  try {
    return path === "-" ? await Bun.stdin.text() : await Bun.file(path).text();
  } catch (cause) {
    throw new OnevirtError("FILE_FAILED", `Cannot read "${path}": ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** The same, when there are no positional words. */
export function noWords(parsed: ParsedWords): ParsedWords {
  if (parsed.words.length > 0) throw new OnevirtError("BAD_ARGUMENT", `Cannot understand argument "${parsed.words[0]}"`);
  return parsed;
}
