import type { Deadline } from "../core/deadline.ts";
import type { StopWatch } from "../core/ports.ts";
import type { Reply, Start } from "./protocol.ts";
import { fromPlain } from "./plain-error.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Thread, WorkerFactory } from "./worker-call.ts";

/** Hears of domains that stop, from a thread of its own that runs libvirt's event loop. */
export class StopListener implements Disposable {
  readonly #thread: Thread;
  readonly #ready = Promise.withResolvers<void>();
  readonly #waiting = new Map<string, Set<(stopped: boolean) => void>>();
  #lost = false;

  constructor(
    startWorker: WorkerFactory,
    private readonly start: Start,
  ) {
    this.#ready.promise.catch(() => undefined); // reported by watch(), or of no interest any more
    this.#thread = startWorker();
    this.#thread.unref();
    this.#thread.onmessage = ({ data }) => this.#hear(data);
    this.#thread.onerror = ({ message }) => this.#lose(new OnevirtError("LIBVIRT_FAILED", `Cannot run the listener thread: ${message}`));
    this.#thread.postMessage(start);
  }

  /** Whether it has stopped to listen; a new one is needed then. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Listens for one domain; the promise is kept when libvirt has registered the listener. */
  async watch(uuid: string, deadline: Deadline): Promise<StopWatch> {
    const first = await withTimer(this.#ready.promise.then(() => "ready" as const), deadline, "late" as const);
    if (first === "late") throw new OnevirtError("TIMED_OUT", `Cannot listen to events: no answer from ${this.start.uri}`);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiting = this.#waiting.get(uuid) ?? new Set();
    this.#waiting.set(uuid, waiting.add(resolve));
    if (this.#lost) resolve(false);
    return {
      stopped: (until) => withTimer(promise, until, false),
      [Symbol.dispose]: () => void waiting.delete(resolve),
    };
  }

  [Symbol.dispose](): void {
    Atomics.store(this.start.end, 0, 1);
    this.#thread.postMessage("stop");
    this.#thread.onmessage = null;
    this.#lost = true;
  }

  #hear(reply: Reply): void {
    if (!("event" in reply)) return;
    if (reply.event === "ready") this.#ready.resolve();
    if (reply.event === "stopped") for (const resolve of this.#waiting.get(reply.uuid) ?? []) resolve(true);
    if (reply.event === "lost") this.#lose(fromPlain(reply.error));
  }

  #lose(error: OnevirtError): void {
    this.#lost = true;
    this.#ready.reject(error);
    for (const waiting of this.#waiting.values()) for (const resolve of waiting) resolve(false);
  }
}

/** The promise, or `late` at the deadline. The timer also keeps the process alive meanwhile. */
async function withTimer<T, L>(promise: Promise<T>, deadline: Deadline, late: L): Promise<T | L> {
  const { promise: timeout, resolve } = Promise.withResolvers<L>();
  const timer = setTimeout(() => resolve(late), Math.min(deadline.remainingMs(), 0x7fff_ffff));
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
