import { copyFileSync, chmodSync, constants, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * A copy of a program outside of the tree, for a process that stays. Front-ends of 5.x copy the tree with scp, which writes into the
 * file that is there and fails when it runs ("Text file busy", install-and-sync 6.6). The name holds the build, so an equal name is an
 * equal program. Throws when it cannot be made, or when somebody else could change it.
 */
export function ownCopy(program: string, directory: string, name: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  for (const path of [dirname(directory), directory]) requireSafe(path);
  const copy = join(directory, name);
  if (sizeOf(copy) === statSync(program).size) return copy;
  const waiting = `${copy}.${process.pid}`;
  copyFileSync(program, waiting, constants.COPYFILE_FICLONE);
  chmodSync(waiting, 0o755);
  renameSync(waiting, copy);
  for (const other of readdirSync(directory)) if (other !== name) rmSync(join(directory, other), { recursive: true, force: true }); // of earlier builds; one that runs goes on
  return copy;
}

/** What others may write to, they may put a program of theirs into. */
function requireSafe(path: string): void {
  const { uid, mode } = lstatSync(path);
  const isSafe = (uid === 0 || uid === process.geteuid?.()) && (mode & 0o170000) === 0o040000 && (mode & 0o022) === 0;
  if (!isSafe) throw new Error(`others may write to "${path}"`);
}

function sizeOf(path: string): number | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? found.size : undefined;
}
