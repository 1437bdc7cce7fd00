import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { OnevirtError } from "../core/errors.ts";
import type { Monitor } from "./monitoring.ts";
import { BOTH, treeFiles } from "./parts.ts";
import { DIRECTORY_MODE, EXECUTABLE_MODE, executablePath } from "./tree.ts";

/** Writes the whole tree, with the given executable in its place, into an empty or new directory. BAD_ARGUMENT when it holds anything. */
export function writeTree(directory: string, executable: string = process.execPath, monitor: Monitor = "monitord"): void {
  if (existsSync(directory) && readdirSync(directory).length > 0) throw new OnevirtError("BAD_ARGUMENT", `Cannot write the remotes tree to "${directory}": it is not empty`);
  for (const { path, mode, text } of treeFiles(BOTH, monitor)) place(join(directory, path), mode, (target) => writeFileSync(target, text));
  place(join(directory, executablePath(process.arch)), EXECUTABLE_MODE, (target) => copyFileSync(executable, target));
}

/** A file with exactly this mode, whatever the umask; directories as the rest of OpenNebula's tree has them. */
function place(path: string, mode: number, write: (path: string) => void): void {
  mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
  write(path);
  chmodSync(path, mode);
}
