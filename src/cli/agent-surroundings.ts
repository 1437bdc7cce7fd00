import { findTree, readGeneration, type Surroundings } from "../context.ts";
import { logLine } from "../core/report.ts";

/** The tree that this agent belongs to. */
export function ownTree(): string {
  return findTree(process.env, process.execPath);
}

/** What an agent uses in common; it complains on stderr, which is its log. */
export function surround(name = "agent"): Surroundings {
  const tree = ownTree();
  return { tree, trace: undefined, tracer: undefined, generation: readGeneration(tree), log: { log: (severity, text) => console.error(`${new Date().toISOString()} ${logLine(severity, name, text)}`) } };
}
