import { closeSync, constants, fchmodSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, isAbsolute } from "node:path";
import { messageOf, OnevirtError } from "../core/errors.ts";

/** Whom the work is done for: the user that called sudo. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  /** Runs `work` with the caller's rights instead of root's. */
  as<T>(work: () => T): T;
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** A path argument: absolute, plain, without a way out. BAD_ARGUMENT otherwise. */
export function checkPath(path: string, what: string): string {
  const problem = !isAbsolute(path) ? "it is not absolute" : path.split("/").includes("..") ? 'it holds ".."' : /\p{Cc}/u.test(path) ? "it holds a control character" : path.length > 4000 ? "it is too long" : undefined;
  if (problem) throw new OnevirtError("BAD_ARGUMENT", `Cannot use ${JSON.stringify(path.slice(0, 200))} as ${what}: ${problem}`);
  return path;
}

/** The content of a regular file, never of what a link leads to; undefined when there is none. */
export function readPlain(path: string, maxBytes: number): Uint8Array | undefined {
  const fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (fd === undefined) return undefined;
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new OnevirtError("FILE_FAILED", `Cannot read "${path}": it is not a regular file`);
    if (stat.size > maxBytes) throw new OnevirtError("FILE_FAILED", `Cannot read "${path}": it has ${stat.size} bytes`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes a file whole, under a name that is new, and gives it its own name by renaming: a link in its place is replaced, not followed. */
export function writePlain(path: string, bytes: Uint8Array, mode: number): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    try {
      writeSync(fd, bytes);
      fchmodSync(fd, mode);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new OnevirtError("FILE_FAILED", `Cannot write "${path}": ${messageOf(cause)}`, { cause });
  }
}

function open(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    const reason = (cause as NodeJS.ErrnoException).code === "ELOOP" ? "it is a link" : messageOf(cause);
    throw new OnevirtError("FILE_FAILED", `Cannot read "${path}": ${reason}`, { cause });
  }
}
