import { OnevirtError } from "../core/errors.ts";
import type { Message, Reply, Request, Start } from "./protocol.ts";
import { fromPlain } from "./plain-error.ts";

/** A thread as this folder needs it; the runtime's Worker is one. */
export interface Thread {
  postMessage(message: Message): void;
  onmessage: ((event: MessageEvent<Reply>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  /** Lets the process end although the thread still runs. */
  unref(): void;
}

/** What is asked of a thread; its number is given on the way. */
export type Asked = Omit<Request, "id">;

export type WorkerFactory = () => Thread;

interface Pending {
  readonly resolve: (outcome: { readonly result: unknown }) => void;
  readonly reject: (error: OnevirtError) => void;
}

/** Calls into one worker thread, with a time limit on each. Never `terminate` a thread inside libvirt: it is bombarded with signals until the call returns (bun-notes 4.5). */
export class WorkerCall implements Disposable {
  readonly #thread: Thread;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #defect: OnevirtError | undefined;

  constructor(
    startWorker: WorkerFactory,
    private readonly start: Start,
  ) {
    this.#thread = startWorker();
    this.#thread.unref();
    this.#thread.onmessage = ({ data }) => this.#settle(data);
    this.#thread.onerror = ({ message }) => this.#failAll((this.#defect = new OnevirtError("LIBVIRT_FAILED", `Cannot run the libvirt thread: ${message}`)));
    this.#thread.postMessage(start);
  }

  /** The result of an operation, or "late" when `limitMs` have passed; the operation then still runs. Not begun at all when there is no time. */
  async request({ object, operation, args }: Asked, limitMs: number): Promise<{ readonly result: unknown } | "late"> {
    if (this.#defect) throw this.#defect;
    if (limitMs <= 0) throw new OnevirtError("TIMED_OUT", `Cannot begin to ${operation}: no time is left`);
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<{ readonly result: unknown } | "late">();
    this.#pending.set(id, { resolve, reject });
    // Also the reason why the process stays alive while it waits for an unreferenced thread.
    const timer = setTimeout(() => resolve("late"), Math.min(limitMs, MAX_TIMER_MS));
    this.#thread.postMessage({ id, object, operation, args });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  /** Forgets the thread: it ends with its call, or with the process. The promise is kept when it is out of libvirt. */
  abandon(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#thread.onmessage = () => resolve(); // the answer that nobody waits for
    this.#thread.onerror = () => resolve();
    this.#failAll(new OnevirtError("TIMED_OUT", "Cannot wait for libvirt: the thread was abandoned"));
    this.#sayStop();
    return promise;
  }

  [Symbol.dispose](): void {
    this.#thread.onmessage = null;
    this.#sayStop();
  }

  /** The thread gives its objects back and ends as soon as it is out of libvirt. */
  #sayStop(): void {
    Atomics.store(this.start.end, 0, 1);
    this.#thread.postMessage("stop");
  }

  #settle(reply: Reply): void {
    if (!("id" in reply)) return;
    const pending = this.#pending.get(reply.id);
    if ("error" in reply) pending?.reject(fromPlain(reply.error));
    else pending?.resolve({ result: reply.result });
  }

  #failAll(error: OnevirtError): void {
    for (const { reject } of this.#pending.values()) reject(error);
  }
}

/** The longest delay that a timer can hold; about 24 days stand for "no limit". */
const MAX_TIMER_MS = 0x7fff_ffff;
