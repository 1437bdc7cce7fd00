import { join } from "node:path";
import { isLauncher } from "../core/launcher.ts";
import { closing, digestOf, headOf } from "./bytes.ts";
import { factsOfOpen } from "./directory.ts";
import { refusal } from "./failure.ts";
import type { FileTree } from "./file-tree.ts";
import type { FileRecord } from "./manifest.ts";

/** What stands in the tree where one of our files belongs. */
export interface Observed {
  readonly record: FileRecord;
  /** It starts as our launchers do; nothing of upstream's does. */
  readonly launcher: boolean;
}

const HEAD_BYTES = 256;

/** Reads what stands at a path; undefined for nothing. Links, directories and files with a second name are refused (install-and-sync R15). */
export function observe(tree: FileTree, path: string): Observed | undefined {
  const found = tree.find(path);
  if (!found) return undefined;
  const replace = `replace "${join(tree.root.path, path)}"`;
  if (found.kind !== "file") throw refusal(replace, found.kind === "link" ? "it is a symbolic link" : "it is no regular file", "put a regular file in its place, or remove it");
  return closing(tree.openFile(path), (fd) => {
    const { mode, uid, gid, mtimeNs, links } = factsOfOpen(fd);
    if (links !== 1) throw refusal(replace, `it has ${links} names (hard links)`, "replace it by a copy of itself");
    return { record: { sha256: digestOf(fd), mode, uid, gid, mtimeNs }, launcher: isLauncher(headOf(fd, HEAD_BYTES)) };
  });
}
