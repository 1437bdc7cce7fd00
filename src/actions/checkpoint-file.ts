import { messageOf } from "../core/errors.ts";
import type { Files } from "../core/ports.ts";

/** What a checkpoint file holds, as its first bytes tell. */
export type CheckpointKind = "absent" | "empty" | "whole" | "partial" | "foreign" | "unreadable";

/** Headers of libvirt's save images (QEMU_SAVE_MAGIC and QEMU_SAVE_PARTIAL of its qemu_saveimage.h). */
const WHOLE = "LibvirtQemudSave";
const PARTIAL = "LibvirtQemudPart";

/** Formats that somebody may take for a checkpoint. */
const OTHERS: readonly (readonly [name: string, isSo: (head: Buffer) => boolean])[] = [
  ["a qcow2 image", (head) => head.toString("latin1", 0, 4) === "QFI\xfb"],
  ["gzip data", (head) => head[0] === 0x1f && head[1] === 0x8b],
  ["xz data", (head) => head.toString("latin1", 0, 6) === "\xfd7zXZ\0"],
  ["bzip2 data", (head) => head.toString("latin1", 0, 3) === "BZh"],
  ["lzop data", (head) => head.toString("latin1", 1, 4) === "LZO"],
  ["XML", (head) => /^\s*<\?xml|^\s*<[a-z]/i.test(head.toString("latin1"))],
  ["only zeros", (head) => head.every((byte) => byte === 0)],
];

/** What stands at a path. A file that only root may read is left to libvirt. */
export function checkpointKind(path: string, files: Files): CheckpointKind {
  const head = headOf(path, files);
  if (head === "unreadable") return head;
  if (head === undefined) return "absent";
  if (head.length === 0) return "empty";
  const magic = head.toString("latin1");
  return magic === WHOLE ? "whole" : magic === PARTIAL ? "partial" : "foreign";
}

/** What stands at a path, in words. */
export function describeCheckpoint(path: string, files: Files): string {
  const head = headOf(path, files);
  if (head === "unreadable") return "this user may not read it";
  if (head === undefined) return "there is no such file";
  if (head.length === 0) return "it is empty";
  const magic = head.toString("latin1");
  if (magic === WHOLE) return "it begins as a whole checkpoint of libvirt";
  if (magic === PARTIAL) return `it begins with ${PARTIAL}: libvirt was interrupted while it saved, and the memory is not complete`;
  const other = OTHERS.find(([, isSo]) => isSo(head))?.[0];
  return `it begins with ${[...head].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}${other ? ` (${other})` : ""}, a checkpoint begins with ${WHOLE}`;
}

function headOf(path: string, files: Files): Buffer | "unreadable" | undefined {
  try {
    const head = files.head(path, WHOLE.length);
    return head && Buffer.from(head);
  } catch (error) {
    return /EACCES|EPERM|ermission/.test(messageOf(error)) ? "unreadable" : undefined;
  }
}
