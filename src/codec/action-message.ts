import { OnevirtError } from "../core/errors.ts";
import { decodeDocument } from "./stdin-document.ts";
import { findAll, findFirst, parseVmXml, textOf, type XmlElement } from "./xml.ts";

/** The driver message that an action reads on stdin (actions.md 1.6). Values are data of a cloud's users, unescaped and unchecked. */
export class ActionMessage {
  private constructor(private readonly root: XmlElement) {}

  /** Reads stdin, as XML or base64. BAD_INPUT when it is empty, no XML, or not this document. */
  static async read(stdin: string): Promise<ActionMessage> {
    const root = await parseVmXml(decodeDocument(stdin, "the driver message"), "the driver message");
    if (root.name !== "VMM_DRIVER_ACTION_DATA") throw new OnevirtError("BAD_INPUT", `Cannot read the driver message: expected VMM_DRIVER_ACTION_DATA, found <${root.name.slice(0, 64)}>`);
    return new ActionMessage(root);
  }

  /** Text at a path below the root, for instance "DATASTORE/TM_MAD"; "" when it is absent or empty. */
  text(path: string): string {
    return textOf(findFirst(this.root, ...path.split("/"))) ?? "";
  }

  /** All elements at a path below the root. */
  all(path: string): readonly XmlElement[] {
    return findAll(this.root, ...path.split("/"));
  }

  /** The first element at `path` whose child `mark` has the text `value`, for instance the disk with ATTACH YES. */
  marked(path: string, mark: string, value = "YES"): XmlElement | undefined {
    return this.all(path).find((each) => textOf(findFirst(each, mark)) === value);
  }
}
