import type { XmlElement } from "../../codec/xml.ts";
import { elementsOf } from "../rewrite.ts";

/** A part of a document that nobody has looked at: a whole element, its text, or the value of an attribute. */
export interface Unread {
  readonly path: string;
  readonly what: XmlElement | string;
}

/**
 * An element that remembers what was asked of it. Whatever nobody asked for is told at the end, so that an import cannot lose a
 * part of the domain in silence.
 */
export class Reading {
  readonly #attributes = new Set<string>();
  #children: readonly Reading[] | undefined;
  #byName: ReadonlyMap<string, readonly Reading[]> | undefined;
  #textRead = false;
  #asked = false;
  #claimed = false;
  #done = false;

  constructor(
    readonly element: XmlElement,
    private readonly parent?: Reading,
  ) {}

  /** Where it stands: `/domain/devices/disk[2]`. */
  get path(): string {
    const like = this.parent?.named(this.name) ?? [];
    return `${this.parent?.path ?? ""}/${this.name}${like.length > 1 ? `[${like.indexOf(this) + 1}]` : ""}`;
  }

  get name(): string {
    return this.element.name;
  }

  attribute(name: string): string | undefined {
    this.#attributes.add(name);
    return Object.hasOwn(this.element.attributes, name) ? this.element.attributes[name] : undefined;
  }

  /** The element's own text, without blanks at its ends. */
  text(): string {
    this.#textRead = true;
    return textOf(this.element);
  }

  /** The child elements of a name. */
  children(name: string): readonly Reading[] {
    const found = this.named(name);
    for (const each of found) each.#asked = true;
    return found;
  }

  private named(name: string): readonly Reading[] {
    this.#byName ??= Map.groupBy(this.all(), (each) => each.name);
    return this.#byName.get(name) ?? [];
  }

  /** All child elements; that alone does not count as having looked at one. */
  all(): readonly Reading[] {
    this.#children ??= elementsOf(this.element).map((each) => new Reading(each, this));
    return this.#children;
  }

  /** The first child element of a name. */
  child(name: string): Reading | undefined {
    return this.children(name)[0];
  }

  /** The text of the first child of a name; undefined when there is none. */
  childText(name: string): string | undefined {
    return this.child(name)?.text();
  }

  /** Says that the element with everything in it has been dealt with. */
  finish(): void {
    this.#done = true;
  }

  /** Says that the element is somebody's: what it has beyond that is still told. */
  claim(): void {
    this.#claimed = true;
  }

  get isTaken(): boolean {
    return this.#done || this.#claimed;
  }

  /** What nobody asked for, in document order. */
  unread(): readonly Unread[] {
    if (this.#done) return [];
    if (!this.#isTouched()) return [{ path: this.path, what: this.element }];
    const attributes = Object.entries(this.element.attributes).filter(([name]) => !this.#attributes.has(name) && !name.startsWith("xmlns"));
    const inner = elementsOf(this.element);
    const text = inner.length === 0 && !this.#textRead && textOf(this.element) !== "" ? [{ path: this.path, what: textOf(this.element) }] : [];
    return [
      ...attributes.map(([name, value]) => ({ path: `${this.path}/@${name}`, what: value })),
      ...text,
      ...this.all().flatMap((each) => each.unread()),
    ];
  }

  #isTouched(): boolean {
    return this.#asked || this.#done || this.#textRead || this.#attributes.size > 0 || (this.#children ?? []).some((each) => each.#isTouched());
  }
}

function textOf(element: XmlElement): string {
  return element.children.filter((child) => typeof child === "string").join("").trim();
}
