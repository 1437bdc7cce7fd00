import { closeSync, fstatSync, linkSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, rmSync, statSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Deadline } from "../core/deadline.ts";
import { OnevirtError, messageOf } from "../core/errors.ts";
import type { Clock, LockHolder, Locks } from "../core/ports.ts";
import { tryLock } from "./libc.ts";

/** How long a waiting action sleeps between two looks. */
const RETRY_MS = 50;

/** A file that says who we are and is locked already; put in place, it is the lock. */
interface Candidate {
  readonly path: string;
  readonly fd: number;
}

/**
 * One file a VM in a directory outside the synced tree, locked with flock(2), so that a killed action leaves no lock behind. The
 * file says who holds it; it is locked and complete before it gets its name, so that nobody ever reads a part, or an old holder.
 */
export class HostLocks implements Locks {
  constructor(
    private readonly directory: string,
    private readonly clock: Clock,
  ) {}

  async acquire(uuid: string, name: string, action: string, deadline: Deadline): Promise<Disposable> {
    const path = this.#path(uuid || name);
    const candidate = this.#prepare({ action, uuid, name, pid: process.pid, since: new Date(this.clock.nowMs()).toISOString() });
    try {
      for (;;) {
        const inWay = this.#install(candidate, path, name);
        if (!inWay) return { [Symbol.dispose]: () => release({ ...candidate, path }) };
        if (deadline.expired) throw busy(name || uuid, readHolder(inWay));
        await this.clock.sleep(Math.min(RETRY_MS * (0.5 + Math.random()), deadline.remainingMs()));
      }
    } catch (error) {
      release(candidate);
      throw error;
    }
  }

  async file(path: string, deadline: Deadline): Promise<Disposable> {
    const fd = openOrMake(path);
    try {
      while (!tryLock(fd)) {
        if (deadline.expired) throw new OnevirtError("BUSY", `Cannot lock "${path}": another program holds it`);
        await this.clock.sleep(Math.min(RETRY_MS * (0.5 + Math.random()), deadline.remainingMs()));
      }
      return { [Symbol.dispose]: () => closeSync(fd) };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  holder(uuidOrName: string): LockHolder | undefined {
    return this.holders().find(({ uuid, name }) => uuid === uuidOrName.toLowerCase() || name === uuidOrName);
  }

  holders(): readonly LockHolder[] {
    return this.#held().map(({ holder }) => holder);
  }

  #held(): readonly { readonly path: string; readonly holder: LockHolder }[] {
    return names(this.directory).filter((name) => name.endsWith(".lock")).flatMap((name) => {
      const path = join(this.directory, name);
      const holder = isHeld(path) ? readHolder(path) : undefined;
      return holder ? [{ path, holder }] : [];
    });
  }

  /** Puts the candidate in place; the path of the lock that is in its way when it cannot. A VM without UUID (OpenNebula 5.x) is locked by its name, so names count too. */
  #install(candidate: Candidate, path: string, name: string): string | undefined {
    if (!placeUnlessHeld(candidate, path)) return path;
    const other = this.#held().find((each) => each.path !== path && each.holder.name === name);
    if (!other) return undefined;
    renameSync(path, candidate.path);
    return other.path;
  }

  #prepare(holder: LockHolder): Candidate {
    const path = join(this.directory, `.${process.pid}-${Math.random().toString(36).slice(2)}.new`);
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o750 });
      return makeLocked(path, `${JSON.stringify(holder)}\n`);
    } catch (cause) {
      throw new OnevirtError("FILE_FAILED", `Cannot lock the VM in "${this.directory}": ${messageOf(cause)}`, { cause, hint: "set LOCK_DIRECTORY in onevirt.conf to a directory that oneadmin may write" });
    }
  }

  /** Names of domains may hold anything, file names may not. */
  #path(key: string): string {
    return join(this.directory, `${/^[\w-]+$/.test(key) ? key : Buffer.from(key).toString("hex").slice(0, 200)}.lock`);
  }
}

function openOrMake(path: string): number {
  try {
    return openSync(path, "a", 0o640);
  } catch (cause) {
    throw new OnevirtError("FILE_FAILED", `Cannot open "${path}": ${messageOf(cause)}`, { cause });
  }
}

function makeLocked(path: string, text: string): Candidate {
  const candidate = { path, fd: openSync(path, "wx", 0o640) };
  try {
    if (!tryLock(candidate.fd)) throw new Error("its file system does not lock files");
    writeSync(candidate.fd, text);
    return candidate;
  } catch (error) {
    release(candidate);
    throw error;
  }
}

/** Gives the candidate the name of the lock, unless somebody holds that. What a killed action left is replaced. */
function placeUnlessHeld(candidate: Candidate, path: string): boolean {
  try {
    linkSync(candidate.path, path);
    unlinkSync(candidate.path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw new OnevirtError("FILE_FAILED", `Cannot lock "${path}": ${messageOf(error)}`, { cause: error });
  }
  return whileLocked(path, (left) => {
    if (!isStill(path, left)) return false; // another has replaced it meanwhile
    renameSync(candidate.path, path);
    return true;
  }) ?? false;
}

/** The name goes first: whoever wants the lock from now on makes a file of his own. */
function release({ path, fd }: Candidate): void {
  try {
    rmSync(path, { force: true });
  } finally {
    closeSync(fd);
  }
}

/** What `work` gives while we have the lock of that file; undefined when somebody else has it, or when there is no file. */
function whileLocked<T>(path: string, work: (fd: number) => T): T | undefined {
  const fd = findFile(path);
  if (fd === undefined) return undefined;
  try {
    return tryLock(fd) ? work(fd) : undefined;
  } finally {
    closeSync(fd);
  }
}

function isHeld(path: string): boolean {
  const fd = findFile(path);
  if (fd === undefined) return false;
  try {
    return !tryLock(fd);
  } finally {
    closeSync(fd);
  }
}

function findFile(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch {
    return undefined;
  }
}

/** Whether the name still leads to the file that was locked; its last holder may have removed it meanwhile. */
function isStill(path: string, fd: number): boolean {
  try {
    return statSync(path).ino === fstatSync(fd).ino;
  } catch {
    return false;
  }
}

function readHolder(path: string): LockHolder | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as LockHolder;
  } catch {
    return undefined; // just released
  }
}

function busy(object: string, holder: LockHolder | undefined): OnevirtError {
  const who = holder ? `"${holder.action}" of process ${holder.pid} has been in progress since ${holder.since}` : "another action is in progress";
  return new OnevirtError("BUSY", `Cannot lock "${object}": ${who}`);
}

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
