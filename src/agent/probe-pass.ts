import { messageOf } from "../core/errors.ts";
import type { ProbeCategory, ProbeRequest } from "../probes/probe.ts";
import { probeFor } from "../probes/table.ts";
import type { AgentWorld, ForeignProbe } from "./ports.ts";

/** What one pass over a category brought. */
export interface PassResult {
  readonly text: string;
  /** What failed, by file. */
  readonly failures: readonly string[];
}

/**
 * Runs everything in a category's directory, in the order of the names (monitoring.md 4.6): our own probe where a file has the name of
 * one, else the program. Upstream throws everything away when one fails; here what is known is kept, and what failed is named.
 */
export async function probePass(category: ProbeCategory, request: ProbeRequest, world: AgentWorld): Promise<PassResult> {
  const texts: string[] = [];
  const failures: string[] = [];
  for (const foreign of world.filesOf(category)) {
    try {
      texts.push(await runOne(category, foreign, request, world));
    } catch (error) {
      failures.push(`Error executing ${foreign.file}: ${messageOf(error)}`);
    }
  }
  return { text: texts.join(""), failures };
}

async function runOne(category: ProbeCategory, foreign: ForeignProbe, request: ProbeRequest, world: AgentWorld): Promise<string> {
  const own = probeFor(category, foreign.file);
  if (own) return (await own.load()).run(request, world.contextFor(own.limitSeconds));
  const { exitCode, stdout, stderr } = await foreign.run();
  if (exitCode !== 0) throw new Error(stderr.trim() || `exit code ${exitCode}`);
  return stdout;
}
