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
  readonly loops: readonly LoopStatus[];
  readonly messages: { readonly sent: number; readonly failed: number };
  readonly events: number;
  readonly listening: boolean;
}

const NAME = "agent-status";

export function writeStatus(state: StateStore, status: AgentStatus): void {
  state.write(NAME, status);
}

/** What the agent said last; undefined when there never was one. */
export function readStatus(state: StateStore): AgentStatus | undefined {
  return state.read(NAME) as AgentStatus | undefined;
}
