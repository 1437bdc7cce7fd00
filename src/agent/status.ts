import type { StateStore } from "../core/ports.ts";

/** One loop as `onevirt agent status` shows it. */
export interface LoopStatus {
  readonly category: string;
  readonly periodSeconds: number;
  /** Seconds since the last pass that was sent; undefined when there was none. */
  readonly ageSeconds: number | undefined;
  readonly lastProblem: string | undefined;
}

export interface QuarantinedVm {
  readonly name: string;
  readonly uuid: string;
}

/** What the agent says of itself. */
export interface AgentStatus {
  readonly pid: number;
  readonly driver: "kvm" | "qemu";
  readonly hostId: number;
  readonly hostName: string;
  readonly build: string;
  /** Wall clock, ISO 8601. */
  readonly writtenAt: string;
  readonly healthy: boolean;
  /** Who says which VMs run; processes do when libvirt does not answer. */
  readonly states: "libvirt" | "processes";
  /** VMs whose QEMU does not answer, and is not asked for a while. */
  readonly quarantined: readonly QuarantinedVm[];
  readonly loops: readonly LoopStatus[];
  readonly messages: { readonly sent: number; readonly failed: number };
  /** The latest time that a message had, seconds since 1970: the next agent must not seem to be before. */
  readonly latestMessage: number;
  readonly events: number;
  readonly listening: boolean;
}

/** Where it is kept between two looks, outside the synced tree. */
export const STATUS_NAME = "agent-status";

/** What the agent said last; undefined when there never was one. */
export function readStatus(state: StateStore): AgentStatus | undefined {
  return state.read(STATUS_NAME) as AgentStatus | undefined;
}

/** Beacons that may be late before what the agent said is old. */
const LATE_BEACONS = 3;

/** Whether the agent still writes what it says of itself. One that was written after now is of a clock that has gone back. */
export function isCurrent(status: AgentStatus, nowMs: number): boolean {
  return nowMs - Date.parse(status.writtenAt) <= LATE_BEACONS * beaconSeconds(status) * 1000;
}

function beaconSeconds({ loops }: AgentStatus): number {
  return loops?.find(({ category }) => category === "host/beacon")?.periodSeconds ?? 0;
}

/** A status is written with each beacon; so long after it a message may have been sent, or twice a longer period of the beacon. */
const AFTER_STATUS_SECONDS = 60;

/** Before what time no message may seem to come: onemonitord drops what is older than what it has, and a clock may have gone back since (monitoring.md 2.4). */
export function notBefore(state: StateStore, hostId: number, nowMs: number): number {
  const known = readStatus(state);
  return known?.hostId === hostId && known.latestMessage > nowMs / 1000 ? known.latestMessage + Math.max(AFTER_STATUS_SECONDS, 2 * beaconSeconds(known)) : 0;
}

/** VMs that the statistics pass by for now (monitor/block-stats.ts). */
export function quarantined(state: StateStore, nowMs: number): readonly QuarantinedVm[] {
  const known = state.read("quarantine");
  if (typeof known !== "object" || known === null) return [];
  const entries = Object.entries(known as Readonly<Record<string, { readonly until?: unknown; readonly name?: unknown } | undefined>>);
  return entries.filter(([, entry]) => typeof entry?.until === "number" && entry.until > nowMs).map(([uuid, entry]) => ({ name: typeof entry?.name === "string" ? entry.name : uuid, uuid }));
}
