import { actions } from "../actions/table.ts";
import type { Step } from "./steps.ts";

const HOUR = 3600;
const DAY = 24 * HOUR;

/** Steps that move the data of a VM: their time grows with memory, disks and the network, so the limit only ends what is dead. */
const LONG = new Set(["save", "restore", "migrate", "deploy", "snapshot_create", "snapshot_revert", "snapshot_delete", "resize_disk", "attach_disk", "detach_disk"]);

/** A script of ours ends itself; the driver's limit comes later, so that the script's own message is heard. */
const AFTER_OWN_LIMIT = 300;

/**
 * Seconds until a step is ended; undefined never ends it. `-w` is for all steps alike, and 0 is no limit (driver-protocol.md 9.6, 18.10).
 * Without it each kind of step has a generous limit of its own (18.3).
 */
export function stepLimitSeconds(step: Step, script: string, option: number | undefined): number | undefined {
  if (option !== undefined) return option === 0 ? undefined : option;
  if (step.driver === "ds") return 7 * DAY;
  if (step.driver === "tm") return 2 * DAY;
  if (step.driver === "vnm") return HOUR / 2;
  if (step.program) return HOUR / 4;
  if (LONG.has(script)) return 2 * DAY;
  return Math.max(HOUR, (ownLimit(script) ?? 0) + AFTER_OWN_LIMIT);
}

function ownLimit(script: string): number | null | undefined {
  const rows: Readonly<Record<string, { readonly limitSeconds: number | null }>> = actions;
  return Object.hasOwn(rows, script) ? rows[script]?.limitSeconds : undefined;
}

/** From TERM to KILL of a process group. */
export const GRACE_SECONDS = 5;
/** The same when the driver itself must end soon. */
export const LAST_GRACE_SECONDS = 2;
/** From KILL until nobody waits any more. */
export const LAST_SECONDS = 2;
/** A step that runs this long is named in the log, and no longer counts against `-t`. */
export const NOTICE_SECONDS = 30;
/** How long running actions may go on when oned ends the driver: it kills after 10 s (driver-protocol.md 2.2). */
export const FAREWELL_SECONDS = 6;
/** How long an ssh may outlive its session: something on the host holds its output, or others use its connection. */
export const LINGER_SECONDS = 600;
/** Additional time for a host to start a shell once it may connect. */
export const SHELL_SECONDS = 20;
