import { type AgentStatus, isCurrent, readStatus } from "../agent/status.ts";
import { contextOf, readSettings } from "../context.ts";
import { otherAgents } from "../host/other-agents.ts";
import { surround } from "./agent-surroundings.ts";

/** What the agent of this host says of itself; exit code 0 when it runs. */
export async function showStatus(json: boolean): Promise<number> {
  const surroundings = surround();
  const { settings } = await readSettings(surroundings);
  const { state, clock } = contextOf(settings, surroundings, { readOnly: true, limitSeconds: 5 });
  const known = readStatus(state);
  const running = known !== undefined && otherAgents({ tree: surroundings.tree, driver: known.driver, hostId: known.hostId, hostName: known.hostName }).includes(known.pid);
  const current = known !== undefined && isCurrent(known, clock.nowMs());
  if (json) console.log(JSON.stringify({ version: 1, running, current, ...(known ?? {}) }, null, 2));
  else console.log(known ? describe(known, running, current) : "No agent has run on this host.");
  return running ? 0 : 1;
}

/** What an agent says of itself, for people. */
export function describe(known: AgentStatus, running: boolean, current: boolean): string {
  const age = (seconds: number | undefined) => (seconds === undefined ? "never" : `${seconds} s ago`);
  return [
    `Agent of host ${known.hostId} (${known.hostName}, ${known.driver}), process ${known.pid}: ${running ? health(known, current) : "does not run"}`,
    `As of ${known.writtenAt}: ${known.messages.sent} messages sent, ${known.messages.failed} failed; ${known.events} events, ${known.listening ? "listening" : "not listening"}`,
    ...(known.states === "processes" ? ["libvirt does not answer: states come from processes and pid files"] : []),
    ...(known.quarantined.length > 0 ? [`Not asked for statistics, because their QEMU did not answer: ${known.quarantined.map(({ name }) => name).join(", ")}`] : []),
    ...known.loops.map(({ category, periodSeconds, ageSeconds, lastProblem }) => `  ${category.padEnd(14)} every ${String(periodSeconds).padStart(4)} s, last ${age(ageSeconds)}${lastProblem ? `; ${lastProblem}` : ""}`),
  ].join("\n");
}

function health({ healthy }: AgentStatus, current: boolean): string {
  if (!current) return "runs, but has written nothing since";
  return healthy ? "runs" : "runs, but a loop stands still";
}
