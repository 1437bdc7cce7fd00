import {
  chmodSync, closeSync, constants, copyFileSync, existsSync, fchmodSync, fsyncSync, linkSync, lstatSync, mkdirSync, openSync, readFileSync, readdirSync, readlinkSync, readSync, renameSync, rmSync, rmdirSync, statSync, writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { OnevirtError, messageOf } from "../core/errors.ts";
import type { FileKind, Files, Tracer } from "../core/ports.ts";

/** The host's file system. Whatever is written appears whole or not at all. */
export class HostFiles implements Files {
  constructor(private readonly tracer?: Tracer) {}

  kind(path: string): FileKind | undefined {
    const stat = orAbsent(() => lstatSync(path), "look at", path);
    if (!stat) return undefined;
    if (stat.isSymbolicLink()) return "symlink";
    if (stat.isDirectory()) return "directory";
    return stat.isFile() ? "file" : "other";
  }

  findText(path: string, maxBytes = 16 * 1024 * 1024): string | undefined {
    const size = orAbsent(() => statSync(path).size, "read", path);
    if (size === undefined) return undefined;
    if (size > maxBytes) throw new OnevirtError("FILE_FAILED", `Cannot read "${path}": it has ${size} bytes, more than the ${maxBytes} that are expected`);
    return orAbsent(() => readFileSync(path, "utf8"), "read", path);
  }

  readLink(path: string): string | undefined {
    return orAbsent(() => readlinkSync(path), "read the link", path);
  }

  head(path: string, bytes: number): Uint8Array | undefined {
    return orAbsent(() => readHead(path, bytes), "read", path);
  }

  names(directory: string): readonly string[] {
    return orAbsent(() => readdirSync(directory), "list", directory) ?? [];
  }

  writeAtomic(path: string, data: string | Uint8Array, mode: number, { flush = true } = {}): void {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    this.#recorded("write", path, `${bytes.length} bytes`, () => placeAtomically(path, mode, (temporary) => writeNew(temporary, bytes, mode, flush), renameSync));
  }

  makeDirectory(path: string, mode: number): void {
    if (existsSync(path)) return;
    this.#recorded("make directory", path, "made", () => void mkdirSync(path, { recursive: true, mode }));
  }

  copyIfAbsent(from: string, to: string): boolean {
    if (existsSync(to)) return false;
    let copied = true;
    this.#recorded("copy to", to, "copied", () => placeAtomically(to, 0o660, (temporary) => copyNew(from, temporary, 0o660), (temporary, path) => {
      copied = linkUnlessThere(temporary, path);
      rmSync(temporary);
    }));
    return copied;
  }

  rename(from: string, to: string): void {
    this.#recorded("rename", to, `from ${from}`, () => renameSync(from, to));
  }

  remove(path: string): void {
    this.#recorded("remove", path, "removed", () => rmSync(path, { force: true, recursive: true }));
  }

  /** Traces the work, and turns a system error into FILE_FAILED with the path. */
  #recorded<T>(doing: string, path: string, result: string, work: () => T): T {
    const done = () => failing(work, doing, path);
    return this.tracer ? this.tracer.around("file", `${doing} ${path}`, done, () => result) : done();
  }
}

/** Prepares a file under a temporary name in the same directory and puts it in place. What was made is taken away again when that fails. */
function readHead(path: string, bytes: number): Uint8Array {
  const fd = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(bytes);
    return buffer.subarray(0, readSync(fd, buffer, 0, bytes, 0));
  } finally {
    closeSync(fd);
  }
}

function placeAtomically(path: string, mode: number, prepare: (temporary: string) => void, place: (temporary: string, path: string) => void): void {
  const directory = dirname(path);
  const missing = outermostMissing(directory); // asked beforehand: a part of them may be made, and then no more
  const temporary = join(directory, `.${process.pid}-${Math.random().toString(36).slice(2)}.tmp`);
  try {
    if (missing) mkdirSync(directory, { recursive: true, mode: mode | 0o110 });
    prepare(temporary);
    place(temporary, path);
  } catch (error) {
    quietly(() => rmSync(temporary, { force: true }));
    if (missing) removeEmpty(directory, missing);
    throw error;
  }
}

function outermostMissing(directory: string): string | undefined {
  let missing: string | undefined;
  for (let each = directory; !existsSync(each); each = dirname(each)) missing = each;
  return missing;
}

function copyNew(from: string, to: string, mode: number): void {
  copyFileSync(from, to, constants.COPYFILE_EXCL);
  chmodSync(to, mode); // the original may be readable only
}

/** A hard link fails when the name exists: unlike a rename it never replaces a file. */
function linkUnlessThere(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function writeNew(path: string, bytes: Uint8Array, mode: number, flush: boolean): void {
  const file = openSync(path, "wx", mode);
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    fchmodSync(file, mode); // the mode that was asked for, whatever the umask
    if (flush) fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Removes the directories that were made, from the innermost out to `outermost`. What is not empty, or was never made, stays as it is. */
function removeEmpty(innermost: string, outermost: string): void {
  for (let directory = innermost; directory.length >= outermost.length; directory = dirname(directory)) quietly(() => rmdirSync(directory));
}

/** For tidying up after a failure, which is what must be told. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {
    return;
  }
}

function orAbsent<T>(work: () => T, doing: string, path: string): T | undefined {
  try {
    return work();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw failed(error, doing, path);
  }
}

function failing<T>(work: () => T, doing: string, path: string): T {
  try {
    return work();
  } catch (error) {
    throw failed(error, doing, path);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied", EROFS: "the file system is read-only", ENOSPC: "no space left on the device", EDQUOT: "the disk quota is used up",
  EISDIR: "it is a directory", EEXIST: "it exists already", ENAMETOOLONG: "the name is too long", EPERM: "operation not permitted", ENOENT: "no such file or directory", ENOTDIR: "a part of the path is not a directory",
};

function failed(error: unknown, doing: string, path: string): OnevirtError {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return new OnevirtError("FILE_FAILED", `Cannot ${doing} "${path}": ${REASONS[code] ?? messageOf(error)}`, { cause: error });
}
