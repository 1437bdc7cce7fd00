import type { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Tracer } from "../core/ports.ts";
import { AbandonedThreads } from "./abandoned-threads.ts";
import type { ArgumentsOf, Operation, ResultOf, Start, ThreadRole, THREADS } from "./protocol.ts";
import { type Asked, WorkerCall, type WorkerFactory } from "./worker-call.ts";

export interface GuardedOptions {
  readonly uri: string;
  /** Another host's daemon, where a VM may be migrated to. */
  readonly elsewhere?: true;
  /** Enough for whatever only looks; polkit and libvirt then refuse changes. */
  readonly readOnly?: boolean;
  readonly startWorker: WorkerFactory;
  /** For the calls that take long, where their thread was started ahead. */
  readonly startLongWorker?: WorkerFactory | undefined;
  readonly trace?: string | undefined;
  readonly tracer?: Tracer | undefined;
  readonly libraryPaths?: readonly string[] | undefined;
  /** A thread that nobody has used for so long ends; the next call starts another. Not given, it stays. */
  readonly idleSeconds?: number | undefined;
}

/** Asynchronous calls to the blocking objects of one role, each with a deadline; `doing` says in an error what could not be done. */
export interface GuardedCalls<R extends ThreadRole> {
  readonly role: R;
  call<O extends (typeof THREADS)[R][number], M extends Operation<O>>(object: O, operation: M, args: ArgumentsOf<O, M>, doing: string, deadline: Deadline): Promise<ResultOf<O, M>>;
}

/**
 * Blocking objects in a worker thread, with a connection of its own; when a call outlives its deadline the whole thread is
 * abandoned, and the next call starts a new one. Abandoned is not cancelled. When too many are left behind, a call waits for one of them.
 */
export class GuardedThread<R extends ThreadRole> implements GuardedCalls<R>, Disposable {
  #worker: WorkerCall | undefined;
  #calls = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly role: R,
    private readonly options: GuardedOptions,
    private readonly abandoned = new AbandonedThreads(),
  ) {}

  /** Whether a call is under way: another one would wait behind it. */
  get busy(): boolean {
    return this.#calls > 0;
  }

  /** Starts the thread now, so that it is ready when the first call comes. */
  warm(): WorkerCall {
    return (this.#worker ??= new WorkerCall(this.options.startWorker, startOf(this.role, this.options)));
  }

  call<O extends (typeof THREADS)[R][number], M extends Operation<O>>(object: O, operation: M, args: ArgumentsOf<O, M>, doing: string, deadline: Deadline): Promise<ResultOf<O, M>> {
    return this.#busy(() => this.#call({ object, operation, args }, doing, deadline)) as Promise<ResultOf<O, M>>;
  }

  async #call(asked: Asked, doing: string, deadline: Deadline): Promise<unknown> {
    const limitMs = deadline.remainingMs();
    const outcome = (await this.abandoned.haveRoom(deadline)) ? await this.#request(asked, deadline.remainingMs()) : "late";
    if (outcome !== "late") return outcome.result;
    throw new OnevirtError("TIMED_OUT", `Cannot ${doing}: no answer from ${this.options.uri} within ${seconds(limitMs)} s`);
  }

  async #request(asked: Asked, limitMs: number): Promise<{ readonly result: unknown } | "late"> {
    const worker = this.warm();
    const outcome = await worker.request(asked, limitMs);
    if (outcome !== "late") return outcome;
    this.options.tracer?.note("worker", `${asked.operation} abandoned`, limitMs, "no answer");
    this.abandoned.add(worker.abandon());
    if (this.#worker === worker) this.#worker = undefined;
    return outcome;
  }

  /** Counts the calls under way, so that a thread without any can end when its time has come. */
  async #busy<T>(work: () => Promise<T>): Promise<T> {
    clearTimeout(this.#idle);
    this.#calls++;
    try {
      return await work();
    } finally {
      this.#calls--;
      if (this.#calls === 0) this.#endLater();
    }
  }

  #endLater(): void {
    if (this.options.idleSeconds === undefined) return;
    this.#idle = setTimeout(() => this[Symbol.dispose](), this.options.idleSeconds * 1000);
    this.#idle.unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#idle);
    this.#worker?.[Symbol.dispose]();
    this.#worker = undefined;
  }
}

/** The first message to a thread of this role. */
export function startOf(role: Start["role"], { uri, readOnly = false, trace, libraryPaths }: GuardedOptions): Start {
  return { role, uri, readOnly, trace, end: new Int32Array(new SharedArrayBuffer(4)), ...(libraryPaths ? { libraryPaths } : {}) };
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(ms < 10_000 ? 1 : 0).replace(/\.0$/, "");
}
