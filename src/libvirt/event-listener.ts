import type { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import { fromPlain } from "./plain-error.ts";
import type { Reply, Start } from "./protocol.ts";
import type { Thread, WorkerFactory } from "./worker-call.ts";

/** What a listener reports of domains and devices. */
export type DomainEvent = Extract<Reply, { readonly event: "lifecycle" | "removal" }>;

/** Whoever listens: to events, and to the end of the listener. */
export interface Subscriber {
  hear(event: DomainEvent): void;
  lose(error: OnevirtError): void;
}

/** Hears of domains and devices, from a thread of its own that runs libvirt's event loop. */
export class EventListener implements Disposable {
  readonly #thread: Thread;
  readonly #ready = Promise.withResolvers<void>();
  readonly #subscribers = new Set<Subscriber>();
  #lost: OnevirtError | undefined;
  /** The thread itself is out of libvirt. */
  #ended = false;

  constructor(
    startWorker: WorkerFactory,
    private readonly start: Start,
  ) {
    this.#ready.promise.catch(() => undefined); // reported by subscribe(), or of no interest any more
    this.#thread = startWorker();
    this.#thread.unref();
    this.#thread.onmessage = ({ data }) => this.#hear(data);
    this.#thread.onerror = ({ message }) => this.#lose(new OnevirtError("LIBVIRT_FAILED", `Cannot run the listener thread: ${message}`));
    this.#thread.postMessage(start);
  }

  /** Whether it has stopped to listen; a new one is needed then. */
  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /** Begins to pass on events; the promise is kept when libvirt has registered the listener. */
  async subscribe(subscriber: Subscriber, deadline: Deadline): Promise<Disposable> {
    const first = await untilDeadline(this.#ready.promise.then(() => "ready" as const), deadline, "late" as const);
    if (first === "late") throw new OnevirtError("TIMED_OUT", `Cannot listen to events: no answer from ${this.start.uri}`);
    this.#subscribers.add(subscriber);
    if (this.#lost) subscriber.lose(this.#lost);
    return { [Symbol.dispose]: () => void this.#subscribers.delete(subscriber) };
  }

  /** Ends it as soon as it is out of libvirt; the promise is kept then. */
  abandon(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this[Symbol.dispose]();
    this.#thread.onmessage = ({ data }) => "event" in data && data.event === "lost" && resolve();
    this.#thread.onerror = () => resolve();
    if (this.#ended) resolve();
    return promise;
  }

  [Symbol.dispose](): void {
    Atomics.store(this.start.end, 0, 1);
    this.#thread.postMessage("stop");
    this.#thread.onmessage = null;
    this.#lost ??= new OnevirtError("CONNECTION_LOST", "Cannot listen to events any more: the listener was closed");
  }

  #hear(reply: Reply): void {
    if (!("event" in reply)) return;
    if (reply.event === "ready") return this.#ready.resolve();
    if (reply.event === "lost") return this.#lose(fromPlain(reply.error));
    for (const subscriber of this.#subscribers) subscriber.hear(reply);
  }

  #lose(error: OnevirtError): void {
    this.#ended = true;
    this.#lost = error;
    this.#ready.reject(error);
    for (const subscriber of this.#subscribers) subscriber.lose(error);
  }
}

/** The promise, or `late` at the deadline. The timer also keeps the process alive meanwhile. */
export async function untilDeadline<T, L>(promise: Promise<T>, deadline: Deadline, late: L): Promise<T | L> {
  const { promise: timeout, resolve } = Promise.withResolvers<L>();
  const timer = setTimeout(() => resolve(late), Math.min(deadline.remainingMs(), 0x7fff_ffff));
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
