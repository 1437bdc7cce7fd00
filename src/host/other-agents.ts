import { readdirSync, readFileSync, realpathSync } from "node:fs";

/** Where upstream's agent is, as its command line shows it: whoever wants to stop an agent of this tree looks for this (monitoring.md 3.3). */
export function agentMark(tree: string, driver: string, hostId: number, hostName: string): string {
  return `${realPath(tree)}/im/${driver}.d/monitord-client.rb ${driver} ${hostId} ${hostName}`;
}

const GRACE_MS = 2000;
const LOOK_MS = 20;

/** Pids of agents, upstream's or ours, whose command line ends with the mark; never this process. */
export function otherAgents(mark: string): readonly number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => pid !== process.pid && commandLine(pid).endsWith(mark));
}

/** Ends them: TERM, a moment, KILL. */
export async function endAgents(mark: string): Promise<number> {
  const pids = otherAgents(mark);
  for (const pid of pids) signal(pid, "SIGTERM");
  for (let waited = 0; waited < GRACE_MS && otherAgents(mark).length > 0; waited += LOOK_MS) await Bun.sleep(LOOK_MS);
  for (const pid of otherAgents(mark)) signal(pid, "SIGKILL");
  return pids.length;
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replace(/\0$/, "").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    return; // it has ended, or is somebody else's
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
