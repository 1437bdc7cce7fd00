import type { Context } from "../core/ports.ts";

/** Where messages go. Both reject when the message certainly did not leave. */
export interface Transport {
  udp(message: string): Promise<void>;
  tcp(message: string): Promise<void>;
}

/** A program that somebody put into a directory of probes. */
export interface ForeignProbe {
  readonly file: string;
  /** Runs it with the agent's arguments and the configuration on stdin. */
  run(): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }>;
}

/** What the agent needs of the machine, besides what actions need. */
export interface AgentWorld {
  readonly transport: Transport;
  /** The executable files of a category's directory, in the byte order of their names. */
  readonly filesOf: (category: string) => readonly ForeignProbe[];
  /** A context with this much time. */
  readonly contextFor: (seconds: number) => Context;
}
