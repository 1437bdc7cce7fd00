import { OnevirtError } from "../core/errors.ts";
import type { Attribute, Attributes, Entry, Position } from "./attributes.ts";

/**
 * Reads OpenNebula's template language: `NAME = value`, `NAME = "value"`, `NAME = [ KEY = value, … ]`, `#` comments.
 * `what` names the text in the error: BAD_INPUT with line and column.
 */
export function parseTemplate(text: string, what: string): Attributes {
  const scanner = new Scanner(text, what);
  const attributes: Attribute[] = [];
  for (scanner.skipBlanksAndComments(); !scanner.atEnd; scanner.skipBlanksAndComments()) attributes.push(attribute(scanner));
  return attributes;
}

function attribute(scanner: Scanner): Attribute {
  const at = scanner.position();
  const name = topLevelName(scanner.name());
  scanner.equals(name);
  if (!scanner.take("[")) return { kind: "single", name, value: value(scanner, name), at };
  return { kind: "vector", name, entries: entries(scanner, name), at };
}

/** The elements of a vector. The first occurrence of a key wins. */
function entries(scanner: Scanner, name: string): ReadonlyMap<string, Entry> {
  const found = new Map<string, Entry>();
  scanner.skipBlanksAndComments();
  if (scanner.take("]")) return found;
  for (;;) {
    const at = scanner.position();
    const key = scanner.name().toUpperCase();
    scanner.equals(`${name}/${key}`);
    const entry = { value: value(scanner, `${name}/${key}`), at };
    if (!found.has(key)) found.set(key, entry);
    scanner.skipBlanksAndComments();
    if (scanner.take("]")) return found;
    scanner.expect(",", `"," or "]" after ${name}/${key}`);
    scanner.skipBlanksAndComments();
  }
}

/** A quoted or bare value; nothing before the end of the line is the empty value. */
function value(scanner: Scanner, name: string): string {
  const at = scanner.position();
  const read = scanner.atLineEnd ? "" : scanner.take('"') ? scanner.quoted(name) : scanner.bare(name);
  if (read.includes("]]>")) scanner.fail(`"]]>" may not stand in the value of ${name}`, at);
  return read;
}

/** XML element names cannot start with a digit or with "XML"; OpenNebula puts ONE_ in front of such names. */
function topLevelName(name: string): string {
  return /^[A-Za-z_]/.test(name) && !name.startsWith("XML") ? name.toUpperCase() : `ONE_${name.toUpperCase()}`;
}

/** A place in a text that moves forward. */
class Scanner {
  #offset = 0;
  #line = 1;
  #lineStart = 0;

  constructor(
    private readonly text: string,
    private readonly what: string,
  ) {}

  get atEnd(): boolean {
    return this.#offset >= this.text.length;
  }

  get atLineEnd(): boolean {
    return this.atEnd || /[\n\r#]/.test(this.text[this.#offset] ?? "");
  }

  /** Only moves forward, as the scanner does, so that a long text is counted once. */
  position(): Position {
    for (let end = this.text.indexOf("\n", this.#lineStart); end >= 0 && end < this.#offset; end = this.text.indexOf("\n", this.#lineStart)) {
      this.#line += 1;
      this.#lineStart = end + 1;
    }
    return { line: this.#line, column: this.#offset - this.#lineStart + 1 };
  }

  skipBlanksAndComments(): void {
    this.#match(/(?:[ \t\r\n\f\v]+|#[^\n]*)*/y);
  }

  take(character: string): boolean {
    if (this.text[this.#offset] !== character) return false;
    this.#offset += 1;
    return true;
  }

  expect(character: string, description: string): void {
    if (!this.take(character)) this.fail(`expected ${description}, found ${this.#found()}`);
  }

  name(): string {
    return this.#match(/[A-Za-z0-9_]+/y) ?? this.fail(`expected a name, found ${this.#found()}`);
  }

  /** The `=` after a name and the blanks around it; the value begins on the same line. */
  equals(name: string): void {
    this.#match(/[ \t]*/y);
    this.expect("=", `"=" after ${name}`);
    this.#match(/[ \t]*/y);
  }

  /** The rest of a value after its opening quote; `\"` stands for a quote, also when another backslash stands before it. */
  quoted(name: string): string {
    const begin = this.#offset;
    const end = this.#closingQuote(begin);
    if (end === undefined) this.fail(`the quote of ${name} is never closed`);
    this.#offset = end + 1;
    return this.text.slice(begin, end).replaceAll('\\"', '"');
  }

  /** The first quote without a backslash before it, else the last one. No regular expression: values may have megabytes. */
  #closingQuote(begin: number): number | undefined {
    let last: number | undefined;
    for (let at = this.text.indexOf('"', begin); at >= 0; at = this.text.indexOf('"', at + 1)) {
      if (at === begin || this.text[at - 1] !== "\\") return at;
      last = at;
    }
    return last;
  }

  bare(name: string): string {
    return this.#match(/[^=#,[\]\s]+/y) ?? this.fail(`expected a value for ${name}, found ${this.#found()}`);
  }

  fail(reason: string, at: Position = this.position()): never {
    throw new OnevirtError("BAD_INPUT", `Cannot read ${this.what} line ${at.line} column ${at.column}: ${reason}`);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.text)?.[0];
    this.#offset += found?.length ?? 0;
    return found;
  }

  #found(): string {
    return this.atEnd ? "the end of the text" : JSON.stringify(this.text[this.#offset]);
  }
}
