import type { LogLetter } from "./oned-line.ts";

/** A line of a script's stderr for oned's log. */
export interface LoggedLine {
  readonly letter: LogLetter;
  readonly text: string;
  /** The script gave it a severity; other lines are its plain words. */
  readonly marked: boolean;
}

const LETTERS: Readonly<Record<string, LogLetter>> = { ERROR: "E", WARN: "W", INFO: "I", DEBUG: "D" };
const BLOCK_BEGINS = "ERROR MESSAGE --8<------";
const BLOCK_ENDS = "ERROR MESSAGE ------>8--";

/** Stderr as log lines, each once (driver-protocol.md 4): severity from a prefix, lines of a 5.x error block as errors, its markers left out. */
export function loggedLines(stderr: string): readonly LoggedLine[] {
  const text = stderr.trim();
  if (text === "") return [];
  let inBlock = false;
  return text.split(/\r?\n|\r/).flatMap((line) => {
    const trimmed = line.trim();
    if (trimmed === BLOCK_BEGINS || trimmed === BLOCK_ENDS) return ((inBlock = trimmed === BLOCK_BEGINS), []);
    return [inBlock ? { letter: "E", text: trimmed, marked: true } : loggedLine(trimmed)];
  });
}

/** What the user is told of a failure (driver-protocol.md 10): the first error block, else all lines that are no log lines, joined by a blank. */
export function errorText(stderr: string): string {
  const block = errorBlock(stderr);
  if (block !== undefined) return block;
  const lines = stderr.split(/\r?\n|\r/).map((line) => line.trim());
  return lines.filter((line) => line !== "" && !/^(?:ERROR|INFO|WARN|DEBUG):\s/.test(`${line} `)).join(" ");
}

function errorBlock(stderr: string): string | undefined {
  const begin = stderr.indexOf(BLOCK_BEGINS);
  const end = stderr.indexOf(BLOCK_ENDS, begin);
  if (begin < 0 || end < 0) return undefined;
  const lines = stderr.slice(begin + BLOCK_BEGINS.length, end).split(/\r?\n|\r/);
  return lines.map((line) => line.trim()).filter((line) => line !== "").join(" ");
}

function loggedLine(line: string): LoggedLine {
  const found = /^(ERROR|INFO|DEBUG):\s*(.*)$|^(WARN):\s+(.*)$/.exec(line);
  const letter = LETTERS[found?.[1] ?? found?.[3] ?? ""];
  return letter ? { letter, text: found?.[2] ?? found?.[4] ?? "", marked: true } : { letter: "I", text: line, marked: false };
}
