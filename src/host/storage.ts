import { readFileSync, readlinkSync } from "node:fs";
import { parseMounts } from "../codec/kernel-text.ts";
import type { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Storage, StorageEntry, StorageSpace } from "../core/ports.ts";
import { mayHang } from "./mount-risk.ts";
import { askStorage, type StorageMessage, type StorageQuestion, type StorageReply } from "./storage-questions.ts";

/** A thread that asks a file system. */
export interface StorageThread {
  postMessage(message: StorageMessage): void;
  onmessage: ((event: MessageEvent<StorageReply>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  unref(): void;
}

/** Threads that may wait for dead servers at the same time. */
const MOST_WAITING = 16;

/**
 * File systems of datastores. What stands on this machine's own disks is asked directly. Whatever may hang is asked in a thread,
 * which is left behind when its time is up; a path is not asked again while a thread still waits for it, so that a dead server
 * costs one thread for each of its datastores, and no more.
 */
export class HostStorage implements Storage {
  /** Paths that a thread has been left behind with. */
  readonly #waiting = new Set<string>();
  /** A thread that has nothing to do. */
  #idle: StorageThread | undefined;

  constructor(
    private readonly startThread: () => StorageThread,
    private readonly mounts = "/proc/self/mounts",
  ) {}

  async names(path: string, deadline: Deadline): Promise<readonly string[]> {
    return (await this.#ask("names", path, deadline)) as readonly string[];
  }

  async text(path: string, deadline: Deadline): Promise<string | undefined> {
    return (await this.#ask("text", path, deadline)) as string | undefined;
  }

  async space(path: string, deadline: Deadline): Promise<StorageSpace | undefined> {
    return (await this.#ask("space", path, deadline)) as StorageSpace | undefined;
  }

  async look(path: string, deadline: Deadline): Promise<StorageEntry | undefined> {
    return (await this.#ask("look", path, deadline)) as StorageEntry | undefined;
  }

  async allocated(path: string, deadline: Deadline): Promise<number | undefined> {
    return (await this.#ask("allocated", path, deadline)) as number | undefined;
  }

  async #ask(question: StorageQuestion, path: string, deadline: Deadline): Promise<unknown> {
    const reply = this.#isLocal(path) ? askStorage({ question, path }) : await this.#askInThread({ question, path }, deadline);
    if ("failure" in reply) throw new OnevirtError("FILE_FAILED", `Cannot read "${path}": ${reply.failure}`);
    return reply.value;
  }

  /** Without a table of mounts nothing is sure. */
  #isLocal(path: string): boolean {
    const table = text(this.mounts);
    return table !== undefined && !mayHang(path, parseMounts(table), link);
  }

  async #askInThread(message: StorageMessage, deadline: Deadline): Promise<StorageReply> {
    const { path } = message;
    if (this.#waiting.has(path)) throw silent(path, "it has not answered for a while");
    if (this.#waiting.size >= MOST_WAITING) throw silent(path, `${this.#waiting.size} others do not answer`);
    const thread = this.#idle ?? this.startThread();
    this.#idle = undefined;
    thread.unref();
    const { promise, resolve, reject } = Promise.withResolvers<StorageReply>();
    thread.onmessage = ({ data }) => {
      this.#waiting.delete(path);
      this.#idle ??= thread;
      resolve(data);
    };
    thread.onerror = ({ message: reason }) => {
      this.#waiting.delete(path);
      resolve({ failure: reason });
    };
    const timer = setTimeout(() => reject(silent(path, "it does not answer")), Math.min(deadline.remainingMs(), 0x7fff_ffff));
    this.#waiting.add(path);
    thread.postMessage(message);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}

function silent(path: string, reason: string): OnevirtError {
  return new OnevirtError("TIMED_OUT", `Cannot read "${path}": ${reason}`);
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** What cannot be looked at is no link as far as we can go; the question itself will say why. */
function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
