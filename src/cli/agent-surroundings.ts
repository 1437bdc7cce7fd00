import { findTree, readGeneration, type Surroundings } from "../context.ts";
import { Deadline } from "../core/deadline.ts";
import { logLine } from "../core/report.ts";
import { systemClock } from "../host/clock.ts";
import { stdinWithin } from "../stdin.ts";

/** A configuration is some kilobytes, and its sender closes its end at once; one that never does must not hold a process for ever. */
const STDIN_BYTES = 1024 * 1024;
const STDIN_SECONDS = 10;

/** What onemonitord sends to a new agent. */
export function configurationFromStdin(): Promise<string> {
  return stdinWithin(Deadline.after(STDIN_SECONDS, systemClock), "the monitoring configuration", STDIN_BYTES);
}

/** The tree that this agent belongs to. */
export function ownTree(): string {
  return findTree(process.env, process.execPath);
}

/** What an agent uses in common; it complains on stderr, which is its log. */
export function surround(name = "agent"): Surroundings {
  const tree = ownTree();
  return { tree, trace: undefined, tracer: undefined, generation: readGeneration(tree), log: { log: (severity, text) => console.error(`${new Date().toISOString()} ${logLine(severity, name, text)}`) } };
}
