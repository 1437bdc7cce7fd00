import { OnevirtError } from "../core/errors.ts";
import { parseSourceXml, sourceAll, sourceFirst, sourceText, writeSourceXml } from "./source-xml.ts";
import type { SourceElement } from "./source-xml.ts";

/** The document that oned sends with an action (driver-protocol.md 5): what the driver itself reads of it, and what it hands on. */
export class DriverMessage {
  private constructor(
    /** The base64 text exactly as received. */
    readonly payload: string,
    private readonly root: SourceElement,
  ) {}

  /** Reads the base64 payload of a request: BAD_INPUT when it is not base64, not UTF-8, not XML, or not this document. */
  static parse(payload: string): DriverMessage {
    const root = parseSourceXml(decodePayload(payload), "the message");
    if (root.name !== "VMM_DRIVER_ACTION_DATA") throw new OnevirtError("BAD_INPUT", `Cannot read the message: expected VMM_DRIVER_ACTION_DATA, found ${root.name.slice(0, 64)}`);
    return new DriverMessage(payload, root);
  }

  /** The whole document, as scripts get it on stdin. */
  get xml(): string {
    return writeSourceXml(this.root);
  }

  /** Text at a path below the root; "" for an empty element, undefined when there is none. */
  find(path: string): string | undefined {
    return sourceText(this.root, ...path.split("/"));
  }

  /** Text at a path below the root, "" when there is none. */
  text(path: string): string {
    return this.find(path) ?? "";
  }

  /** The first element `path` that has a child `mark` with the text `value`, for instance the disk with ATTACH='YES'. */
  marked(path: string, mark: string, value = "YES"): Marked | undefined {
    const found = sourceAll(this.root, ...path.split("/")).find((element) => sourceText(element, mark) === value);
    return found && { text: (name) => sourceText(found, name) };
  }

  /** The element VM, which everything but EXEC_CANCEL needs. */
  get vm(): SourceElement {
    return this.get("VM");
  }

  /** The source of an element below the root, BAD_INPUT when it is missing. */
  source(name: "VM" | "DATASTORE"): string {
    return writeSourceXml(this.get(name));
  }

  /** The same, "" when it is missing: oned leaves DATASTORE out when the datastore is gone. */
  sourceOrEmpty(name: "DATASTORE"): string {
    const found = sourceFirst(this.root, name);
    return found ? writeSourceXml(found) : "";
  }

  private get(name: string): SourceElement {
    const found = sourceFirst(this.root, name);
    if (!found) throw new OnevirtError("BAD_INPUT", `Cannot read the message: ${name} is missing`);
    return found;
  }
}

/** One device of the VM that an action is about. */
export interface Marked {
  text(name: string): string | undefined;
}

/** The host of a message that is not read yet: it decides where the request waits. Undefined when only a full reading can tell. */
export function peekHost(payload: string): string | undefined {
  const start = Buffer.from(payload.slice(0, 4096), "base64").toString("utf8");
  return /^\s*<VMM_DRIVER_ACTION_DATA>\s*<HOST>([^<&]*)<\/HOST>/.exec(start)?.[1];
}

function decodePayload(payload: string): string {
  if (payload.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(payload)) throw new OnevirtError("BAD_INPUT", "Cannot read the message: it is not base64");
  return Buffer.from(payload, "base64").toString("utf8");
}
