import { OnevirtError } from "../../../src/core/errors.ts";

/** What an action answers, or code and sentence of its error. */
export async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then((answer) => ({ answer }), (error: unknown) => (error instanceof OnevirtError ? [error.code, error.message] : error));
}
