/** virDomainState, in libvirt's order (libvirt-domain.h). */
export const DOMAIN_STATES = ["nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended"] as const;

export type DomainState = (typeof DOMAIN_STATES)[number];

/** virDomainPausedReason, in libvirt's order. */
export const PAUSED_REASONS = [
  "unknown", "user", "migration", "save", "dump", "ioerror", "watchdog", "fromsnapshot", "shuttingdown", "snapshot", "crashed", "startingup", "postcopy", "postcopyfailed", "apierror",
] as const;

export type PausedReason = (typeof PAUSED_REASONS)[number];

/** The name of a state number; a number of a newer libvirt is "nostate". */
export function domainState(number: number): DomainState {
  return DOMAIN_STATES[number] ?? "nostate";
}

/** The name of a reason number of the state "paused"; a number of a newer libvirt is "unknown". */
export function pausedReason(number: number): PausedReason {
  return PAUSED_REASONS[number] ?? "unknown";
}

/** Whether a domain in this state has a process, or is being started or ended: everything but shut off and no state. */
export function isActive(state: DomainState): boolean {
  return state !== "shutoff" && state !== "nostate";
}
