import { messageOf, OnevirtError } from "../core/errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EEXIST: "it exists already",
  EISDIR: "it is a directory",
  ELOOP: "it is a symbolic link",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on the device",
  ENOTDIR: "it is a symbolic link, or no directory",
  EDQUOT: "the disk quota is used up",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  EXDEV: "it is on another file system",
};

/** Does file work; a system error becomes FILE_FAILED: Cannot <doing> "<path>": <reason>. */
export function attempt<T>(doing: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof OnevirtError ? error : refusal(`${doing} "${path}"`, REASONS[systemCode(error)] ?? messageOf(error), undefined, error);
  }
}

/** Does file work; undefined when there is no such file. */
export function orAbsent<T>(doing: string, path: string, work: () => T): T | undefined {
  return attempt(doing, path, () => {
    try {
      return work();
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw error;
    }
  });
}

/** FILE_FAILED with a sentence: Cannot <what>: <reason>. */
export function refusal(what: string, reason: string, hint?: string, cause?: unknown): OnevirtError {
  return new OnevirtError("FILE_FAILED", `Cannot ${what}: ${reason}`, { cause, ...(hint === undefined ? {} : { hint }) });
}

/** The name of a system error, such as ENOENT; empty for any other error. */
export function systemCode(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? "";
}
