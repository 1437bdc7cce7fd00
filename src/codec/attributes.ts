/** Where something stands in a text, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One value of a template and, when it was read from a text, its place. */
export interface Entry {
  readonly value: string;
  readonly at?: Position;
}

/** `NAME = value`. An empty value differs from an absent attribute. */
export interface Single extends Entry {
  readonly kind: "single";
  readonly name: string;
}

/** `NAME = [ KEY = value ]`. A key with an empty value differs from an absent key. */
export interface Vector {
  readonly kind: "vector";
  readonly name: string;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly at?: Position;
}

export type Attribute = Single | Vector;

/** A template: an ordered multi-map of single and vector attributes. */
export type Attributes = readonly Attribute[];

/** The first single attribute of this name; vectors of the same name do not count. */
export function findSingle(attributes: Attributes, name: string): Single | undefined {
  return attributes.find((each): each is Single => each.kind === "single" && each.name === name);
}

/** All vectors of this name, in document order; singles of the same name do not count. */
export function vectorsOf(attributes: Attributes, name: string): readonly Vector[] {
  return attributes.filter((each): each is Vector => each.kind === "vector" && each.name === name);
}

/** The attributes as OpenNebula keeps a configuration file: a second definition of a name removes the first completely. */
export function lastOfEachName(attributes: Attributes): Attributes {
  const last = new Map(attributes.map((each) => [each.name, each] as const));
  return attributes.filter((each) => last.get(each.name) === each);
}

/** The attributes with white space around values removed, as OpenNebula keeps templates of VMs, hosts and clusters. */
export function trimmed(attributes: Attributes): Attributes {
  return attributes.map((each) =>
    each.kind === "single"
      ? { ...each, value: trim(each.value) }
      : { ...each, entries: new Map([...each.entries].map(([key, entry]) => [key, { ...entry, value: trim(entry.value) }])) });
}

function trim(text: string): string {
  return text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, "");
}
