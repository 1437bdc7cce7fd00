import { messageOf } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import type { ProbeRequest } from "./probe.ts";

const UNUSED_SECONDS = 6 * 7 * 86_400;

/** Removes the series of VMs that have been gone for six weeks (monitoring.md 6.3). Reports nothing. */
export async function run(_request: ProbeRequest, { series, clock, log }: Context): Promise<string> {
  try {
    series.removeUnused(clock.nowMs() / 1000 - UNUSED_SECONDS);
  } catch (error) {
    log.log("WARN", `Old series are not removed: ${messageOf(error)}`);
  }
  return "";
}
