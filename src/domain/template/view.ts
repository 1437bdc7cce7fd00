import type { Attributes, Entry, Position, Vector } from "../../codec/attributes.ts";
import type { Finding, Severity } from "./finding.ts";

/** A template as rules ask for it: values by name, and findings that know their place. */
export class TemplateView {
  constructor(readonly attributes: Attributes) {}

  single(name: string): string | undefined {
    return this.#single(name)?.value;
  }

  /** Vectors of a name, each with its path. */
  vectors(name: string): readonly VectorOf[] {
    const found = this.attributes.filter((each): each is Vector => each.kind === "vector" && each.name === name);
    return found.map((vector, index) => new VectorOf(vector, found.length > 1 ? `${name}[${index + 1}]` : name));
  }

  /** A key of the first vector of a name. */
  key(vector: string, key: string): string | undefined {
    return this.vectors(vector)[0]?.get(key);
  }

  finding(severity: Severity, name: string, message: string): Finding {
    return withPlace({ severity, attribute: name, message }, this.#single(name)?.at);
  }

  #single(name: string) {
    return this.attributes.find((each) => each.kind === "single" && each.name === name) as (Entry & { readonly kind: "single" }) | undefined;
  }
}

/** One vector of a template. */
export class VectorOf {
  constructor(
    private readonly vector: Vector,
    readonly path: string,
  ) {}

  get keys(): readonly string[] {
    return [...this.vector.entries.keys()];
  }

  get(key: string): string | undefined {
    return this.vector.entries.get(key)?.value;
  }

  is(key: string, value: string): boolean {
    return this.get(key)?.toUpperCase() === value;
  }

  finding(severity: Severity, key: string, message: string): Finding {
    return withPlace({ severity, attribute: key === "" ? this.path : `${this.path}/${key}`, message }, this.vector.entries.get(key)?.at ?? this.vector.at);
  }
}

function withPlace(finding: Finding, at: Position | undefined): Finding {
  return at === undefined ? finding : { ...finding, at };
}
