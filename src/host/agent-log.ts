import { constants, fstatSync, ftruncateSync, openSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { HostFiles } from "./files.ts";

/** A log that is longer begins anew: an agent runs for months, and what it complains of may last as long. */
const MOST_BYTES = 8 * 1024 * 1024;

/** Opens the log of an agent, and keeps that of the agent before as `.old`. "ignore" where the disk takes no file: that is no reason not to report. */
export function openLog(path: string): number | "ignore" {
  try {
    new HostFiles().makeDirectory(dirname(path), 0o755);
    keepOld(path);
    return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW, 0o640);
  } catch {
    return "ignore";
  }
}

/** Empties a log that has grown too long; whoever appends to it goes on at its beginning. */
export function trimLog(fd: number, mostBytes = MOST_BYTES): void {
  const stat = fstatSync(fd);
  if (stat.isFile() && stat.size > mostBytes) ftruncateSync(fd, 0);
}

function keepOld(path: string): void {
  try {
    renameSync(path, `${path}.old`);
  } catch {
    return; // the first agent here
  }
}
