import type { Context } from "../core/ports.ts";
import type { ProbeRequest } from "./probe.ts";

/** The sign of life: its content is not used, only that it comes (monitoring.md 6.1). */
export async function run(_request: ProbeRequest, { clock }: Context): Promise<string> {
  return `${Math.floor(clock.nowMs() / 1000)}\n`;
}
