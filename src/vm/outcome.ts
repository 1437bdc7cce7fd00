import { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { Clock, Log } from "../core/ports.ts";

/** What a second look found after a call had been abandoned. */
export type Look = { readonly now: "done" } | { readonly now: "not done" | "unknown"; readonly because: string };

/** One call that changes something, and how to see whether it has. */
export interface Change<T> {
  /** The object of the sentence: `destroy domain "one-7"`. */
  readonly doing: string;
  readonly call: () => Promise<T>;
  /** Asking again does no harm, also when the first call still takes effect: a destroy, never a create. */
  readonly repeatable?: true;
  /** Looks on a fresh connection. */
  readonly look: (deadline: Deadline) => Promise<Look>;
}

export interface Judges {
  readonly clock: Clock;
  readonly log: Log;
  /** FRESH_LOOK_SECONDS. */
  readonly lookSeconds: number;
}

/**
 * Runs a change and tells the truth about it. An abandoned call is not a cancelled one: when it outlives its limit, or its
 * connection breaks, the domain is looked at again. What is not done then may still become done: the answer is OUTCOME_UNKNOWN, or
 * NOT_DONE after a broken connection when the call may be repeated. Gives the call's own result, or undefined when only the look
 * found it done. All other errors pass: libvirt has answered.
 */
export async function settle<T>(change: Change<T>, { clock, log, lookSeconds }: Judges): Promise<T | undefined> {
  try {
    return await change.call();
  } catch (error) {
    if (!hasCode(error, "TIMED_OUT", "CONNECTION_LOST")) throw error;
    const found = await lookAgain(change, Deadline.after(lookSeconds, clock));
    log.log("WARN", `${error.message}; looked again: ${found.now}${"because" in found ? `, ${found.because}` : ""}`);
    if (found.now === "done") return undefined;
    throw asVerdict(change, error, found);
  }
}

/** A look that fails has seen nothing. */
async function lookAgain({ look }: Change<unknown>, deadline: Deadline): Promise<Look> {
  try {
    return await look(deadline);
  } catch (error) {
    return { now: "unknown", because: messageOf(error) };
  }
}

function asVerdict({ doing, repeatable }: Change<unknown>, error: OnevirtError, found: Exclude<Look, { now: "done" }>): OnevirtError {
  if (repeatable && found.now === "not done" && error.code === "CONNECTION_LOST")
    return new OnevirtError("NOT_DONE", `Cannot ${doing}: the connection to libvirt broke, and ${found.because}`, { cause: error });
  return new OnevirtError("OUTCOME_UNKNOWN", `Outcome unknown: ${doing}: ${error.message}; now ${found.because}`, {
    cause: error,
    hint: "the call may still take effect; look at the domain before you do anything else",
  });
}
