import type { Context } from "../core/ports.ts";
import { collectResults } from "../vm/guest-exec.ts";
import type { ProbeRequest } from "./probe.ts";

/** Results of commands in guests that have ended since the last pass (monitoring.md 7.9). */
export function run(_request: ProbeRequest, context: Context): Promise<string> {
  return collectResults(context, context.deadline);
}
