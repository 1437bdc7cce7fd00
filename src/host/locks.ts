import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readFileSync, readdirSync, statSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Deadline } from "../core/deadline.ts";
import { OnevirtError, messageOf } from "../core/errors.ts";
import type { Clock, LockHolder, Locks } from "../core/ports.ts";
import { tryLock } from "./libc.ts";

/** How long a waiting action sleeps between two looks. */
const RETRY_MS = 50;

/**
 * One file a VM in a directory outside the synced tree, locked with flock(2), so that a killed action leaves no lock behind. The
 * file says who holds it.
 */
export class HostLocks implements Locks {
  constructor(
    private readonly directory: string,
    private readonly clock: Clock,
  ) {}

  async acquire(uuid: string, name: string, action: string, deadline: Deadline): Promise<Disposable> {
    const path = this.#path(uuid || name);
    const holder: LockHolder = { action, uuid, name, pid: process.pid, since: new Date(this.clock.nowMs()).toISOString() };
    for (;;) {
      const lock = this.#tryAcquire(path, holder);
      if (lock) return lock;
      if (deadline.expired) throw busy(name || uuid, readHolder(path));
      await this.clock.sleep(Math.min(RETRY_MS, deadline.remainingMs()));
    }
  }

  holder(uuidOrName: string): LockHolder | undefined {
    return this.holders().find(({ uuid, name }) => uuid === uuidOrName || name === uuidOrName);
  }

  holders(): readonly LockHolder[] {
    return names(this.directory).filter((name) => name.endsWith(".lock")).flatMap((name) => {
      const path = join(this.directory, name);
      return isHeld(path) ? (readHolder(path) ?? []) : [];
    });
  }

  #tryAcquire(path: string, holder: LockHolder): Disposable | undefined {
    const fd = this.#open(path);
    if (!tryLock(fd) || !isStill(path, fd)) {
      closeSync(fd);
      return undefined;
    }
    ftruncateSync(fd, 0);
    writeSync(fd, `${JSON.stringify(holder)}\n`, 0);
    return { [Symbol.dispose]: () => release(path, fd) };
  }

  #open(path: string): number {
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o750 });
      return openSync(path, "a+", 0o640);
    } catch (cause) {
      throw new OnevirtError("FILE_FAILED", `Cannot lock the VM in "${this.directory}": ${messageOf(cause)}`, { cause, hint: "set LOCK_DIRECTORY in onevirt.conf to a directory that oneadmin may write" });
    }
  }

  /** Names of domains may hold anything, file names may not. */
  #path(key: string): string {
    return join(this.directory, `${/^[\w-]+$/.test(key) ? key : Buffer.from(key).toString("hex")}.lock`);
  }
}

/** The name goes first: whoever opens it from now on opens a new file. */
function release(path: string, fd: number): void {
  try {
    unlinkSync(path);
  } finally {
    closeSync(fd);
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

function isHeld(path: string): boolean {
  try {
    const fd = openSync(path, "r");
    try {
      return !tryLock(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

function readHolder(path: string): LockHolder | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as LockHolder;
  } catch {
    return undefined; // just being written, or just released
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
