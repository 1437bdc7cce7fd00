import type { Deadline } from "../core/deadline.ts";
import { AbandonedThreads } from "./abandoned-threads.ts";
import { untilDeadline } from "./event-listener.ts";
import { type GuardedCalls, type GuardedOptions, GuardedThread } from "./guarded-thread.ts";
import type { ArgumentsOf, Operation, ResultOf, THREADS, ThreadRole } from "./protocol.ts";

/** How long a call waits behind others: a bulk call of hundreds of domains takes half of it, one that waits for a QEMU or a guest more. */
const PATIENCE_SECONDS = 1;

/**
 * Calls that do not wait for each other: one thread serves them all, and while it is held up by a QEMU or a guest another one
 * takes over; at another host a migration may hold one for hours. Each thread has one call at a time, so that what is abandoned is that call alone.
 */
export class SpareThreads<R extends ThreadRole> implements GuardedCalls<R>, Disposable {
  readonly #threads: GuardedThread<R>[] = [];
  readonly #abandoned = new AbandonedThreads();
  #free = Promise.withResolvers<void>();

  constructor(
    readonly role: R,
    private readonly options: GuardedOptions,
  ) {}

  /** Starts a thread now, so that it is ready when the first call comes. */
  warm(): void {
    (this.#threads[0] ?? this.#add()).warm();
  }

  async call<O extends (typeof THREADS)[R][number], M extends Operation<O>>(object: O, operation: M, args: ArgumentsOf<O, M>, doing: string, deadline: Deadline): Promise<ResultOf<O, M>> {
    const patience = deadline.within(PATIENCE_SECONDS);
    let thread = this.#idle();
    while (!thread && this.#threads.length > 0 && !patience.expired) {
      await untilDeadline(this.#free.promise, patience, undefined);
      thread = this.#idle();
    }
    try {
      return await (thread ?? this.#add()).call(object, operation, args, doing, deadline);
    } finally {
      this.#free.resolve();
      this.#free = Promise.withResolvers();
    }
  }

  #idle(): GuardedThread<R> | undefined {
    return this.#threads.find(({ busy }) => !busy);
  }

  #add(): GuardedThread<R> {
    const thread = new GuardedThread(this.role, this.options, this.#abandoned);
    this.#threads.push(thread);
    return thread;
  }

  [Symbol.dispose](): void {
    for (const thread of this.#threads) thread[Symbol.dispose]();
  }
}
