import type { StateStore } from "../core/ports.ts";

/** One loop as `onevirt agent status` shows it. */
export interface LoopStatus {
  readonly category: string;
  readonly periodSeconds: number;
  /** Seconds since the last pass that was sent; undefined when there was none. */
  readonly ageSeconds: number | undefined;
  readonly lastProblem: string | undefined;
}

/** What the agent says of itself. */
export interface AgentStatus {
  readonly pid: number;
  readonly driver: string;
  readonly hostId: number;
  readonly hostName: string;
  readonly build: string;
  /** Wall clock, ISO 8601. */
  readonly writtenAt: string;
  readonly healthy: boolean;
  /** Who says which VMs run; processes do when libvirt does not answer. */
  readonly states: "libvirt" | "processes";
  /** UUIDs of VMs whose QEMU does not answer, and is not asked for a while. */
  readonly quarantined: readonly string[];
  readonly loops: readonly LoopStatus[];
  readonly messages: { readonly sent: number; readonly failed: number };
  readonly events: number;
  readonly listening: boolean;
}

/** Where it is kept between two looks, outside the synced tree. */
export const STATUS_NAME = "agent-status";

/** What the agent said last; undefined when there never was one. */
export function readStatus(state: StateStore): AgentStatus | undefined {
  return state.read(STATUS_NAME) as AgentStatus | undefined;
}

/** VMs that the statistics pass by for now (monitor/block-stats.ts). */
export function quarantined(state: StateStore, nowMs: number): readonly string[] {
  const known = state.read("quarantine");
  if (typeof known !== "object" || known === null) return [];
  return Object.entries(known as Readonly<Record<string, { readonly until?: unknown } | undefined>>).filter(([, entry]) => typeof entry?.until === "number" && entry.until > nowMs).map(([uuid]) => uuid);
}
