import type { XmlElement } from "../../codec/xml.ts";
import { childrenOf, textOf } from "../../codec/xml.ts";
import type { AttributeView } from "../levels.ts";
import type { Value } from "../source.ts";

/** Attributes of one DISK, NIC or PCI of the driver message. A value is "" when it is absent or empty. */
export class Values {
  /** The same as the contributors of the domain generator read it. What is hot-plugged is explained by the driver message alone. */
  readonly view: AttributeView = { get: (name) => asValue(this.get(name)) };

  constructor(private readonly element: XmlElement) {}

  get(name: string): string {
    return textOf(childrenOf(this.element, name)[0]) ?? "";
  }

  /** Whether the attribute is there at all, also when it is empty. */
  has(name: string): boolean {
    return childrenOf(this.element, name).length > 0;
  }

  /** "yes" in any case. */
  isYes(name: string): boolean {
    return this.get(name).toLowerCase() === "yes";
  }
}

/** A text as the contributors take it. */
export function asValue(text: string): Value {
  return { text, sources: [] };
}
