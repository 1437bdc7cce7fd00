import { type Attributes, findSingle, type Single, type Vector, vectorsOf } from "../codec/attributes.ts";
import { INT32, type ReadNumber, readInteger } from "./numbers.ts";
import { type Count, type Flag, NOTHING, type Source, type SourceKind, type Value } from "./source.ts";

/** Attributes of one disk, NIC or other vector, wherever they were read. */
export interface AttributeView {
  /** The value of a key; NOTHING when the key is absent. */
  get(key: string): Value;
}

/** One vector of a level, which knows where it stands. */
export class VectorView implements AttributeView {
  constructor(
    private readonly vector: Vector,
    private readonly level: Level,
    private readonly path: string,
  ) {}

  /** The value of a key; NOTHING when the key is absent. */
  get(key: string): Value {
    const entry = this.vector.entries.get(key);
    return entry === undefined ? NOTHING : { text: entry.value, sources: [this.level.source(`${this.path}/${key}`, entry.value, entry.at?.line)] };
  }

  /** All keys, in document order. */
  get keys(): readonly string[] {
    return [...this.vector.entries.keys()];
  }

  /** The vector itself, as the reason why an element exists. */
  get presence(): Value {
    return { text: "", sources: [this.level.source(this.path, "", this.vector.at?.line)] };
  }
}

/** One of the four places where an attribute can be set: VM, host, cluster, driver defaults. */
export class Level {
  readonly #vectors = new Map<string, readonly VectorView[]>();

  constructor(
    readonly kind: SourceKind,
    private readonly attributes: Attributes,
    private readonly origin: { readonly root: string; readonly file?: string },
  ) {}

  find(name: string): Value | undefined {
    const single: Single | undefined = findSingle(this.attributes, name);
    return single && { text: single.value, sources: [this.source(`${this.origin.root}${name}`, single.value, single.at?.line)] };
  }

  vectors(name: string): readonly VectorView[] {
    const known = this.#vectors.get(name);
    if (known) return known;
    const found = vectorsOf(this.attributes, name);
    const views = found.map((each, index) => new VectorView(each, this, `${this.origin.root}${name}${found.length > 1 ? `[${index + 1}]` : ""}`));
    this.#vectors.set(name, views);
    return views;
  }

  source(name: string, value: string, line: number | undefined): Source {
    return { kind: this.kind, name, value, ...(this.origin.file === undefined ? {} : { file: this.origin.file }), ...(line === undefined ? {} : { line }) };
  }
}

/**
 * Looks attributes up through levels, the first level first. A vector is not replaced as a whole: a level hides only the keys it
 * holds. Texts are found also when they are empty; flags and numbers fall through when they are empty.
 */
export class Lookup {
  constructor(private readonly levels: readonly Level[]) {}

  text(name: string): Value {
    return this.#first((level) => level.find(name)) ?? NOTHING;
  }

  keyText(vector: string, key: string): Value {
    return this.#first((level) => this.#key(level, vector, key)) ?? NOTHING;
  }

  flag(name: string): Flag {
    return asFlag(this.text(name));
  }

  keyFlag(vector: string, key: string): Flag {
    return asFlag(this.#first((level) => filled(this.#key(level, vector, key))) ?? NOTHING);
  }

  /** Compat: each level starts again at 0, so leading digits of a malformed value count only at the last level. */
  integer(name: string, range = INT32): Count {
    let last: Count = { count: 0, exact: 0n, sources: [] };
    for (const level of this.levels) {
      const value = level.find(name);
      const read = readInteger(value?.text ?? "", range);
      last = asCount(read, value);
      if (read.whole) return last;
    }
    return last;
  }

  /** Compat: a malformed value leaves its leading digits unless a further level supplies a number. */
  keyInteger(vector: string, key: string, range = INT32): Count {
    let last: Count = { count: 0, exact: 0n, sources: [] };
    for (const level of this.levels) {
      const value = filled(this.#key(level, vector, key));
      if (!value) continue;
      const read = readInteger(value.text, range);
      last = asCount(read, value);
      if (read.whole) return last;
    }
    return last;
  }

  #first(find: (level: Level) => Value | undefined): Value | undefined {
    for (const level of this.levels) {
      const found = find(level);
      if (found) return found;
    }
    return undefined;
  }

  #key(level: Level, vector: string, key: string): Value | undefined {
    const value = level.vectors(vector)[0]?.get(key);
    return value === undefined || value.sources.length === 0 ? undefined : value;
  }
}

function filled(value: Value | undefined): Value | undefined {
  return value?.text === "" ? undefined : value;
}

/** True only for YES, in any case: `true`, `1` and `on` are no. */
export function asFlag(value: Value): Flag {
  return { on: value.text.toUpperCase() === "YES", sources: value.sources };
}

function asCount(read: ReadNumber, value: Value | undefined): Count {
  return { count: Number(read.value), exact: read.value, sources: value?.sources ?? [] };
}
