/** Where a value of the document comes from: an attribute of one of the four levels, an input of the command, or a rule of the generator. */
export type SourceKind = "vm" | "host" | "cluster" | "defaults" | "option" | "rule";

export interface Source {
  readonly kind: SourceKind;
  /** Path of the attribute (`/VM/TEMPLATE/DISK[2]/CACHE`, `FEATURES/ACPI`), name of the input, or the sentence of the rule. */
  readonly name: string;
  /** What the source holds; empty for rules. */
  readonly value: string;
  readonly file?: string;
  readonly line?: number;
}

/** Whatever can say where it comes from. */
export interface Sourced {
  readonly sources: readonly Source[];
}

/** A string and its sources. No source at all means that it was found nowhere. */
export interface Value extends Sourced {
  readonly text: string;
}

/** A yes-or-no answer and its sources. */
export interface Flag extends Sourced {
  readonly on: boolean;
}

/** A whole number and its sources. */
export interface Count extends Sourced {
  readonly count: number;
  /** The same number where it may exceed 2^53. */
  readonly exact: bigint;
}

/** A value that was found nowhere. */
export const NOTHING: Value = { text: "", sources: [] };

export function isFound(sourced: Sourced): boolean {
  return sourced.sources.length > 0;
}

/** The sources of several values together, each once. */
export function sourcesOf(...all: readonly (Sourced | undefined)[]): readonly Source[] {
  const found = all.filter((each) => each !== undefined && each.sources.length > 0);
  return found.length < 2 ? (found[0]?.sources ?? []) : [...new Set(found.flatMap((each) => each?.sources ?? []))];
}

/** A text worked out from other values. */
export function derived(text: string | number | bigint, ...from: readonly (Sourced | undefined)[]): Value {
  return { text: String(text), sources: sourcesOf(...from) };
}

/** A text that a rule of the generator supplies. */
export function byRule(text: string, rule: string): Value {
  return { text, sources: [{ kind: "rule", name: rule, value: "" }] };
}

/** The value, or `fallback` when it is empty. */
export function orElse(value: Value, fallback: Value): Value {
  return value.text === "" ? fallback : value;
}
