import { fchmodSync, fchownSync, fstatSync, fsyncSync } from "node:fs";
import { basename, join } from "node:path";
import { closing } from "./bytes.ts";
import { factsOfOpen, type Directory, type FileFacts } from "./directory.ts";
import { attempt, refusal, systemCode } from "./failure.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** When commit() changes a name: whatever moment a crash chooses, the manifest covers what is in the tree. */
export const TURN = { backup: 0, manifest: 1, tree: 2, end: 3 } as const;
type Turn = (typeof TURN)[keyof typeof TURN];

/** A file that is to stand under a name, instead of whatever stands there. */
export interface Placement {
  readonly directory: Directory;
  readonly name: string;
  readonly mode: number;
  readonly owner: Owner;
  /** The time of the last change that it shall carry; the present one without (install-and-sync R18). */
  readonly mtimeNs?: bigint | undefined;
  readonly turn: Turn;
  readonly write: (fd: number) => void;
}

/** One name that commit() changes: to the file under `staged`, or to nothing. */
interface Change {
  readonly directory: Directory;
  readonly name: string;
  readonly staged: string | undefined;
  /** Where `staged` is, and where the file that is replaced waits until all is done. */
  readonly waiting: Directory;
  readonly turn: Turn;
}

/** Names under which files wait. A crash may leave some; the next run removes them. */
const WAITING = /^\.onevirt-(new|old)-[0-9a-z]+$/;

/**
 * Changes of files that happen all together or not at all. Whatever needs space is written under waiting names first; commit()
 * only renames, and puts every original back, the same inode, when one rename fails.
 */
export class Transaction {
  /** Where files wait: a directory on the same file system, outside of the tree. A copy of the tree that runs meanwhile fails on a name that is gone when it gets there. */
  waitingRoom: Directory | undefined;
  readonly #changes: Change[] = [];
  readonly #made: [Directory, string][] = [];
  readonly #committed: { readonly change: Change; readonly old: string | undefined }[] = [];

  /** Writes the file under a waiting name, and says what it will be. */
  place({ directory, name, mode, owner, mtimeNs, turn, write }: Placement): FileFacts {
    const staged = waitingName("new");
    const waiting = this.waitingRoom ?? directory;
    const fd = waiting.create(staged);
    this.#changes.push({ directory, name, staged, waiting, turn });
    return closing(fd, () => attempt("write", join(directory.path, name), () => {
      giveTo(fd, owner); // at once: a copy of the tree that runs now fails on a file that oneadmin cannot read
      write(fd);
      fchmodSync(fd, mode);
      if (mtimeNs !== undefined) setModified(fd, mtimeNs);
      fsyncSync(fd);
      return factsOfOpen(fd);
    }));
  }

  remove(directory: Directory, name: string, turn: Turn): void {
    this.#changes.push({ directory, name, staged: undefined, waiting: this.waitingRoom ?? directory, turn });
  }

  /** Makes a directory at once; rollback() removes it. */
  makeDirectory(parent: Directory, path: string, mode: number, owner: Owner): Directory {
    const made = parent.make(basename(path));
    this.#made.push([parent, basename(path)]);
    attempt("make the directory", made.path, () => {
      giveTo(made.fd, owner);
      fchmodSync(made.fd, mode);
    });
    return made;
  }

  /** Puts everything in place. When that fails, everything is as before, and the failure is thrown. */
  commit(): void {
    try {
      for (const change of this.#changes.toSorted((a, b) => a.turn - b.turn)) this.#commitOne(change);
    } catch (error) {
      this.rollback();
      throw error;
    }
    for (const { change, old } of this.#committed) if (old) quietly(() => change.waiting.remove(old));
    for (const directory of new Set(this.#changes.map((change) => change.directory))) quietly(() => directory.flush());
  }

  /** Takes back what was done so far: staged files, made directories, and names already changed. */
  rollback(): void {
    for (const { change, old } of this.#committed.splice(0).reverse()) quietly(() => putBack(change, old));
    for (const { waiting, staged } of this.#changes.splice(0)) if (staged) quietly(() => waiting.remove(staged));
    for (const [parent, name] of this.#made.splice(0).reverse()) quietly(() => void parent.removeEmpty(name));
  }

  #commitOne(change: Change): void {
    const { directory, name, staged, waiting } = change;
    const old = directory.find(name) ? waitingName("old") : undefined;
    if (old && staged) directory.link(name, old, waiting); // the name never stands for nothing
    else if (old) directory.rename(name, old, waiting);
    this.#committed.push({ change, old });
    if (staged) waiting.rename(staged, name, directory);
  }
}

/** Whether a file waits, or was left waiting, to be put in place. */
export function isNameOfChange(name: string): boolean {
  return WAITING.test(name);
}

/** Does all changes that `stage` prepares, or none. */
export function changeAll<T>(stage: (transaction: Transaction) => T): T {
  const transaction = new Transaction();
  try {
    const result = stage(transaction);
    transaction.commit();
    return result;
  } catch (error) {
    transaction.rollback();
    throw error;
  }
}

/** Works with a waiting room; once more without, when that turns out to be on another file system. */
export function preferringRoom<T>(work: (hasRoom: boolean) => T): T {
  try {
    return work(true);
  } catch (error) {
    if (systemCode((error as Error).cause) !== "EXDEV") throw error;
    return work(false);
  }
}

/** Removes what a crash left waiting in a directory. */
export function removeWaiting(directory: Directory): void {
  for (const name of directory.names().filter(isNameOfChange)) directory.remove(name);
}

/** The same in all directories below; those that are empty then go too. */
export function removeWaitingBelow(directory: Directory): void {
  removeWaiting(directory);
  for (const name of directory.names().filter((each) => directory.find(each)?.kind === "directory")) {
    using inner = directory.child(name);
    if (inner) removeWaitingBelow(inner);
    directory.removeEmpty(name);
  }
}

function waitingName(kind: "new" | "old"): string {
  return `.onevirt-${kind}-${crypto.randomUUID().replaceAll("-", "")}`;
}

/** A rename between two names of one file does nothing, so the second name is removed by itself. */
function putBack({ directory, name, waiting }: Change, old: string | undefined): void {
  if (old === undefined) return directory.remove(name);
  waiting.rename(old, name, directory);
  waiting.remove(old);
}

/** Only root may give a file away, so a right owner is left alone. The mode comes after: a new owner clears set-id bits, and so does writing. */
function giveTo(fd: number, { uid, gid }: Owner): void {
  const now = fstatSync(fd);
  if (now.uid !== uid || now.gid !== gid) fchownSync(fd, uid, gid);
}

/** Sets the time to the nanosecond: Node's own call goes through a floating point number and loses the last digits. */
function setModified(fd: number, mtimeNs: bigint): void {
  const time = `@${mtimeNs / 1_000_000_000n}.${String(mtimeNs % 1_000_000_000n).padStart(9, "0")}`;
  const { stderr } = Bun.spawnSync(["touch", "-m", "-d", time, "-"], { stdin: "ignore", stdout: fd, stderr: "pipe", env: { PATH: "/usr/bin:/bin", LC_ALL: "C" }, timeout: 10_000 });
  if (fstatSync(fd, { bigint: true }).mtimeNs !== mtimeNs) throw refusal("set the time of a file", stderr.toString().trim() || "touch did not do it");
}

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // the first failure is the one to tell
  }
}
