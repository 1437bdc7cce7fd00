import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { messageOf, OnevirtError } from "../core/errors.ts";

/** One line as sudo sees it: lines that end in a backslash are one, comments are gone. */
export interface SudoersLine {
  readonly file: string;
  /** Where it begins, from 1. */
  readonly line: number;
  readonly text: string;
}

/** As deep as sudo itself follows one file that includes another. */
const MAX_DEPTH = 128;
/** A "#" begins a comment, unless it begins the number of a user or a group, or is the old form of an include. */
const COMMENT = /(^|\s)#(?!\d|include(?:dir)?\s).*$/;
const INCLUDE = /^\s*[@#]include(dir)?\s+"?([^"]+?)"?\s*$/;

/** Every line that sudo reads, in its order, from this file and those that it includes. FILE_FAILED for a file that is there and cannot be read. */
export function readSudoers(file: string, depth = 0): readonly SudoersLine[] {
  if (depth > MAX_DEPTH) return [];
  return logicalLines(file, textOf(file)).flatMap((line) => {
    const [, directory, path] = INCLUDE.exec(line.text) ?? [];
    if (path === undefined) return line.text.trim() === "" ? [] : [line];
    const place = resolve(dirname(file), path);
    return (directory ? filesIn(place) : [place]).flatMap((each) => readSudoers(each, depth + 1));
  });
}

/** The lines of one file. */
export function logicalLines(file: string, text: string): readonly SudoersLine[] {
  const lines: SudoersLine[] = [];
  let open: { readonly line: number; readonly text: string } | undefined;
  for (const [index, part] of text.split("\n").entries()) {
    const continued = part.endsWith("\\");
    const whole = { line: open?.line ?? index + 1, text: `${open?.text ?? ""}${continued ? `${part.slice(0, -1)} ` : part}` };
    open = continued ? whole : undefined;
    if (!continued) lines.push({ file, line: whole.line, text: whole.text.replace(COMMENT, "") });
  }
  return lines;
}

/** sudo leaves out what an editor or a package leaves behind: names with a dot, or with ~ at their end. */
function filesIn(directory: string): readonly string[] {
  try {
    const names = readdirSync(directory, { withFileTypes: true }).filter((entry) => !entry.isDirectory()).map(({ name }) => name);
    return names.filter((name) => !name.includes(".") && !name.endsWith("~")).sort().map((name) => join(directory, name));
  } catch (cause) {
    return absent(directory, cause, []);
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    return absent(file, cause, "");
  }
}

function absent<T>(path: string, cause: unknown, instead: T): T {
  if ((cause as NodeJS.ErrnoException).code === "ENOENT") return instead;
  throw new OnevirtError("FILE_FAILED", `Cannot read "${path}": ${messageOf(cause)}`, { cause });
}
