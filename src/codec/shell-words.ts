import { OnevirtError } from "../core/errors.ts";

/** What a backslash inside double quotes takes away the meaning of (POSIX, Shell Command Language 2.2.3). */
const IN_DOUBLE = /[$`"\\\n]/;

/** The words of a command line as a shell would divide it: quotes and backslashes mean what they mean there, nothing is expanded. BAD_ARGUMENT for a quote that does not end. */
export function shellWords(line: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const character = line[at] as string;
    if (/[ \t\n]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= "";
    if (character === "\\") word += line[++at] ?? "";
    else if (character === "'" || character === '"') {
      const end = endOfQuote(line, at);
      word += unquoted(line.slice(at + 1, end), character);
      at = end;
    } else word += character;
  }
  return word === undefined ? words : [...words, word];
}

function endOfQuote(line: string, start: number): number {
  const quote = line[start];
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === "\\" && quote === '"') at++;
    else if (line[at] === quote) return at;
  }
  throw new OnevirtError("BAD_ARGUMENT", `Cannot read the command: the ${quote === '"' ? "double" : "single"} quote at character ${start + 1} does not end`);
}

function unquoted(text: string, quote: string): string {
  return quote === "'" ? text : text.replace(/\\([\s\S])/g, (whole, next: string) => (IN_DOUBLE.test(next) ? next.replace("\n", "") : whole));
}
