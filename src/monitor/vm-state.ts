import type { DomainStatus } from "../core/ports.ts";
import { type DomainState, type PausedReason, pausedReason } from "../core/states.ts";

/** States of a VM as agents report them. OpenNebula acts on all but UNKNOWN. */
export type VmState = "RUNNING" | "FAILURE" | "SUSPENDED" | "UNKNOWN" | "POWEROFF";

const STATES: Readonly<Record<Exclude<DomainState, "paused">, VmState>> = {
  running: "RUNNING", blocked: "RUNNING", shutdown: "RUNNING", crashed: "FAILURE", pmsuspended: "SUSPENDED", nostate: "UNKNOWN", shutoff: "UNKNOWN",
};

/** Reasons of a pause that say more than "nobody knows". */
const PAUSES: Readonly<Partial<Record<PausedReason, VmState>>> = {
  unknown: "FAILURE", user: "SUSPENDED", migration: "RUNNING", save: "RUNNING", startingup: "RUNNING", ioerror: "FAILURE", watchdog: "FAILURE", crashed: "FAILURE", postcopyfailed: "FAILURE",
};

/** The state to report for what libvirt says (monitoring.md 7.1). */
export function vmStateOf({ state, reason }: Pick<DomainStatus, "state" | "reason">): VmState {
  return state === "paused" ? (PAUSES[pausedReason(reason)] ?? "UNKNOWN") : STATES[state];
}

/** The number of a VM that OpenNebula deployed; undefined for a wild one. */
export function vmIdOf(name: string): number | undefined {
  const digits = /^one-(\d{1,10})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
