/** One assignment of the file. */
export interface Assignment {
  readonly name: string;
  /** The value as bash would hold it: quotes and escapes resolved, a carriage return before the line end included. */
  readonly value: string;
  readonly line: number;
}

/** What the file assigns, in its order, or the first line whose meaning only bash knows. */
export type Kvmrc =
  | { readonly plain: true; readonly assignments: readonly Assignment[]; readonly exported: ReadonlySet<string> }
  | { readonly plain: false; readonly line: number };

/**
 * Reads a shell file of plain assignments without a shell (kvmrc is sourced by bash, actions.md 4).
 * What it accepts means the same to bash; everything it is not certain of is `plain: false`.
 */
export function parseKvmrc(text: string): Kvmrc {
  const scanner = new Scanner(text);
  try {
    scanner.file();
    return { plain: true, assignments: scanner.assignments, exported: scanner.exported };
  } catch (error) {
    if (error instanceof NotPlain) return { plain: false, line: scanner.commandLine };
    throw error;
  }
}

/** Unquoted characters that stand for themselves everywhere in a word. `?` and `*` do so in assignments, but are left to bash. */
const BARE = /[A-Za-z0-9_\-./:+=,@%#\r\x80-\uffff]+/y;
/** A carriage return is an ordinary character to bash; the other control characters have had their own meanings and defects. */
const SINGLE_QUOTED = /[^'\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*/y;
const DOUBLE_QUOTED = /[^"\\$`\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const BLANKS = /[ \t]*/y;
const ORDINARY = /[^\x00-\x0c\x0e-\x1f\x7f]/y;
/**
 * Lines without a meaning, then at most one line with one simple assignment: nearly all of every real file. Only a short cut for
 * the scanner below, which reads the same and more: at its first and only run the scanner alone takes three times as long.
 */
const USUAL_LINES =
  /((?:[ \t]*(?:#[^\n]*)?\n)*)(?:(export )?([A-Za-z_][A-Za-z0-9_]*)=(?:([A-Za-z0-9_\-./:+=,@%#\x80-\uffff]*)|'([^'\x00-\x1f\x7f]*)'|"([^"\\$`\x00-\x1f\x7f]*)")(?:[ \t]+#[^\n]*|[ \t]*)(?:\n|$))?/y;
/** Variables that bash refuses, computes, or changes its own behaviour by when they are assigned; a star stands for any end. */
const SPECIAL = new Set(
  "_ COMP_* DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME FUNCNEST GROUPS HISTCMD LANGUAGE LC_* LINENO OPTIND PIPESTATUS POSIXLY_CORRECT PPID RANDOM SECONDS SHELLOPTS SRANDOM TMOUT UID".split(" "),
);
const WORD_ENDS = new Set(["", "\n", ";", " ", "\t"]);

class NotPlain {}

function isSpecial(name: string): boolean {
  return SPECIAL.has(name) || name.startsWith("BASH") || SPECIAL.has(`${name.slice(0, name.indexOf("_") + 1)}*`);
}

/** Whether in this locale no byte of a character can look like a shell character. */
function isSafeLanguage(value: string): boolean {
  return value === "C" || /^(?:C|POSIX|[\w.]*[.]utf-?8|)\r?$/i.test(value);
}

class Scanner {
  readonly assignments: Assignment[] = [];
  readonly exported = new Set<string>();
  /** Where the current command begins: an unfinished quote is found only at the end of the file. */
  commandLine = 1;
  private line = 1;
  private at = 0;

  constructor(private readonly text: string) {}

  file(): void {
    if (this.text.includes("\0")) throw new NotPlain();
    while (this.at < this.text.length) {
      if (this.usualLines()) continue;
      this.run(BLANKS);
      if (this.endOfLine()) continue;
      this.commandLine = this.line;
      this.command();
      if (!this.endOfLine()) this.expect(";");
    }
  }

  /** Whether the short cut got any further. */
  private usualLines(): boolean {
    USUAL_LINES.lastIndex = this.at;
    const found = USUAL_LINES.exec(this.text)!;
    if (found[0] === "") return false;
    this.countLines(found[1]!);
    this.at = USUAL_LINES.lastIndex;
    if (found[3] === undefined) return true;
    this.commandLine = this.line;
    this.assign(found[3], found[4] ?? found[5] ?? found[6]!, this.line);
    if (found[2] !== undefined) this.exported.add(found[3]);
    this.line += 1;
    return true;
  }

  /** One simple command: assignments, or `export` and its arguments. */
  private command(): void {
    const name = this.run(NAME);
    if (this.peek() === "=") this.assignment(name);
    else if (name === "export" && this.blankFollows()) return this.exports();
    else throw new NotPlain();
    for (;;) {
      this.wordEnd();
      if (this.atCommandEnd()) return;
      this.assignment(this.run(NAME));
    }
  }

  private exports(): void {
    this.wordEnd();
    if (this.atCommandEnd()) throw new NotPlain(); // prints all variables
    while (!this.atCommandEnd()) {
      const name = this.run(NAME);
      if (this.peek() === "=") this.assignment(name);
      else if (name === "" || isSpecial(name)) throw new NotPlain();
      this.exported.add(name);
      this.wordEnd();
    }
  }

  private assignment(name: string): void {
    if (name === "" || this.peek() !== "=") throw new NotPlain();
    const line = this.line;
    this.at += 1;
    this.assign(name, this.value(), line);
  }

  private assign(name: string, value: string, line: number): void {
    if (isSpecial(name) || (name === "LANG" && !isSafeLanguage(value))) throw new NotPlain();
    this.assignments.push({ name, value, line });
  }

  private value(): string {
    let value = "";
    for (;;) {
      const start = this.at;
      value += this.run(BARE) + this.quoted();
      if (this.at === start) return value;
    }
  }

  private quoted(): string {
    switch (this.peek()) {
      case "'":
        return this.singleQuoted();
      case '"':
        return this.doubleQuoted();
      case "\\":
        this.at += 1;
        return this.one(ORDINARY);
      default:
        return "";
    }
  }

  private singleQuoted(): string {
    this.at += 1;
    const value = this.countLines(this.run(SINGLE_QUOTED));
    this.expect("'");
    return value;
  }

  private doubleQuoted(): string {
    this.at += 1;
    let value = this.countLines(this.run(DOUBLE_QUOTED));
    while (this.peek() === "\\") {
      this.at += 1;
      const escaped = this.one(ORDINARY);
      value += /["\\$`]/.test(escaped) ? escaped : `\\${escaped}`;
      value += this.countLines(this.run(DOUBLE_QUOTED));
    }
    this.expect('"');
    return value;
  }

  /** A word ends before a blank, a separator or the end of a line; anything else is syntax that this reader does not know. */
  private wordEnd(): void {
    if (!WORD_ENDS.has(this.peek())) throw new NotPlain();
    this.run(BLANKS);
  }

  private blankFollows(): boolean {
    const next = this.peek();
    return next === " " || next === "\t";
  }

  /** Only asked where a word could begin, so `#` begins a comment here. */
  private atCommandEnd(): boolean {
    const next = this.peek();
    return next === "" || next === "\n" || next === ";" || next === "#";
  }

  /** Takes an optional comment and the line end. */
  private endOfLine(): boolean {
    const next = this.peek();
    if (next !== "" && next !== "\n" && next !== "#") return false;
    const end = this.text.indexOf("\n", this.at);
    this.at = end < 0 ? this.text.length : end + 1;
    this.line += end < 0 ? 0 : 1;
    return true;
  }

  private expect(character: string): void {
    if (this.peek() !== character) throw new NotPlain();
    this.at += 1;
  }

  private one(pattern: RegExp): string {
    const found = this.run(pattern);
    if (found === "") throw new NotPlain();
    return found;
  }

  private run(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.at += found.length;
    return found;
  }

  private peek(): string {
    return this.text.charAt(this.at);
  }

  /** Quotes may span lines; the value is exact, but later line numbers must stay right. */
  private countLines(value: string): string {
    for (let at = value.indexOf("\n"); at >= 0; at = value.indexOf("\n", at + 1)) this.line += 1;
    return value;
  }
}
