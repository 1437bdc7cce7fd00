import { lstatSync, readFileSync, readdirSync, statSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../core/errors.ts";
import type { StorageEntry, StorageSpace } from "../core/ports.ts";

/** What can be asked of a file system. */
export type StorageQuestion = "names" | "text" | "space" | "look" | "allocated";

/** A question on its way to a thread, and back. */
export interface StorageMessage {
  readonly question: StorageQuestion;
  readonly path: string;
}

export type StorageReply = { readonly value: unknown } | { readonly failure: string };

/** A file beyond this is not what is looked for. */
const MAX_TEXT_BYTES = 1024 * 1024;

/** Asks the file system, and waits as long as that takes: for ever, when it is a server's that is gone. */
export function askStorage({ question, path }: StorageMessage): StorageReply {
  try {
    return { value: ANSWERS[question](path) };
  } catch (error) {
    return isAbsent(error) ? { value: question === "names" ? [] : undefined } : { failure: messageOf(error) };
  }
}

const ANSWERS: Readonly<Record<StorageQuestion, (path: string) => unknown>> = {
  names: (path): readonly string[] => readdirSync(path).sort(),
  text: (path): string | undefined => (statSync(path).size > MAX_TEXT_BYTES ? undefined : readFileSync(path, "utf8")),
  space: (path): StorageSpace => {
    const { bsize, blocks, bfree, bavail } = statfsSync(path);
    return { total: blocks * bsize, used: (blocks - bfree) * bsize, available: bavail * bsize };
  },
  look: (path): StorageEntry => {
    const stat = statSync(path);
    return { kind: stat.isDirectory() ? "directory" : stat.isFile() ? "file" : "other", bytes: stat.size, allocated: stat.blocks * 512 };
  },
  allocated: (path): number => allocated(path, new Set()),
};

/** Bytes of a tree as `du` counts them: directories too, and what has several names once. */
function allocated(path: string, seen: Set<string>): number {
  const stat = lstatSync(path);
  const key = `${stat.dev}:${stat.ino}`;
  if (seen.has(key)) return 0;
  seen.add(key);
  const inner = stat.isDirectory() ? readdirSync(path).map((name) => allocatedOrGone(join(path, name), seen)) : [];
  return inner.reduce((sum, each) => sum + each, stat.blocks * 512);
}

/** What vanishes while it is counted takes no space. */
function allocatedOrGone(path: string, seen: Set<string>): number {
  try {
    return allocated(path, seen);
  } catch (error) {
    if (isAbsent(error)) return 0;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}
