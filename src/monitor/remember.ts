import { messageOf } from "../core/errors.ts";
import type { Log, StateStore } from "../core/ports.ts";

/** Keeps state for the next poll. What cannot be kept costs accuracy then, not the answer now. */
export function remember(name: string, value: unknown, { state, log }: { readonly state: StateStore; readonly log: Log }): void {
  try {
    state.write(name, value);
  } catch (error) {
    log.log("WARN", `The next poll starts afresh: ${messageOf(error)}`);
  }
}
