import type { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Tracer } from "../core/ports.ts";
import type { ArgumentsOf, Operation, ResultOf, Start, ThreadRole, THREADS } from "./protocol.ts";
import { WorkerCall, type WorkerFactory } from "./worker-call.ts";

export interface GuardedOptions {
  readonly uri: string;
  /** Enough for whatever only looks; polkit and libvirt then refuse changes. */
  readonly readOnly?: boolean;
  readonly startWorker: WorkerFactory;
  readonly trace?: string | undefined;
  readonly tracer?: Tracer | undefined;
  readonly libraryPaths?: readonly string[] | undefined;
}

/**
 * Blocking objects in a worker thread, with a connection of its own; when a call outlives its deadline the whole thread is
 * abandoned, and the next call starts a new one. Abandoned is not cancelled.
 */
export class GuardedThread<R extends ThreadRole> implements Disposable {
  #worker: WorkerCall | undefined;

  constructor(
    private readonly role: R,
    private readonly options: GuardedOptions,
  ) {}

  /** Starts the thread now, so that it is ready when the first call comes. */
  warm(): WorkerCall {
    return (this.#worker ??= new WorkerCall(this.options.startWorker, startOf(this.role, this.options)));
  }

  /** The result of an operation; `doing` says in an error what could not be done. */
  async call<O extends (typeof THREADS)[R][number], M extends Operation<O>>(object: O, operation: M, args: ArgumentsOf<O, M>, doing: string, deadline: Deadline): Promise<ResultOf<O, M>> {
    const worker = this.warm();
    const limitMs = deadline.remainingMs();
    const outcome = await worker.request({ object, operation, args }, limitMs);
    if (outcome !== "late") return outcome.result as ResultOf<O, M>;
    this.options.tracer?.note("worker", `${operation} abandoned`, limitMs, "no answer");
    worker.abandon();
    if (this.#worker === worker) this.#worker = undefined;
    throw new OnevirtError("TIMED_OUT", `Cannot ${doing}: no answer from ${this.options.uri} within ${seconds(limitMs)} s`);
  }

  [Symbol.dispose](): void {
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
