import type { Deadline } from "../core/deadline.ts";
import type { GuardedCalls } from "./guarded-thread.ts";
import type { Operation, Served, ThreadRole, THREADS } from "./protocol.ts";

/** A blocking object as the first thread sees it: each operation asynchronous, with a deadline as last argument. */
export type Guarded<B> = { readonly [K in keyof B]: B[K] extends (...args: infer A) => infer T ? (...args: [...A, deadline: Deadline]) => Promise<T> : never };

/** What each operation does, in words for an error, from its arguments. */
export type Doing<O extends keyof Served> = { readonly [K in Operation<O>]: Served[O][K] extends (...args: infer A) => unknown ? (...args: A) => string : never };

/** The operations of one blocking object, guarded by who serves it. */
export function guardedPort<R extends ThreadRole, O extends (typeof THREADS)[R][number]>(thread: GuardedCalls<R>, object: O, doing: Doing<O>): Guarded<Served[O]> {
  const operations = Object.entries(doing as Readonly<Record<string, (...args: unknown[]) => string>>).map(([operation, say]) => [
    operation,
    (...given: unknown[]) => {
      const args = given.slice(0, -1);
      return thread.call(object, operation as never, args as never, say(...args), given.at(-1) as Deadline);
    },
  ]);
  return Object.fromEntries(operations) as Guarded<Served[O]>;
}
