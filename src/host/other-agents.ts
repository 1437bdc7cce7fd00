import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Which host an agent reports, from which tree. */
export interface AgentIdentity {
  readonly tree: string;
  readonly driver: "kvm" | "qemu";
  readonly hostId: number;
  readonly hostName: string;
}

/** Upstream's program: whoever wants to stop an agent looks for its path and these arguments on command lines (monitoring.md 3.3). */
const PROGRAM = "monitord-client.rb";

const DRIVERS = ["kvm", "qemu"] as const;
const GRACE_MS = 2000;
const LOOK_MS = 20;

/** The last words on the command line of an agent. The path is as the launcher has it, because upstream's script compares text. */
export function agentWords({ tree, driver, hostId, hostName }: AgentIdentity): readonly string[] {
  return [join(tree, "im", `${driver}.d`, PROGRAM), driver, String(hostId), hostName];
}

/** Pids of agents of this host, upstream's or ours, and of either driver: a host may have changed its driver. Never this process. */
export function otherAgents(identity: AgentIdentity, proc = "/proc"): readonly number[] {
  const directories = new Set(DRIVERS.map((driver) => realPath(join(identity.tree, "im", `${driver}.d`))));
  const pids = readdirSync(proc).filter((name) => /^\d+$/.test(name)).map(Number);
  return pids.filter((pid) => pid !== process.pid && isAgentOf(commandLine(`${proc}/${pid}/cmdline`), identity, directories));
}

/** Ends them, and gives those that are still there: another user's. */
export function endAgents(identity: AgentIdentity): Promise<readonly number[]> {
  return endAll(() => otherAgents(identity));
}

/** TERM, a moment, KILL. Gives whoever is still there. */
export async function endAll(find: () => readonly number[]): Promise<readonly number[]> {
  const left = await end(find, "SIGTERM");
  return left.length === 0 ? left : end(find, "SIGKILL");
}

/** Whoever may not be sent a signal is not waited for. */
async function end(find: () => readonly number[], name: NodeJS.Signals): Promise<readonly number[]> {
  const asked = find().filter((pid) => signal(pid, name));
  for (let waited = 0; waited < GRACE_MS && find().some((pid) => asked.includes(pid)); waited += LOOK_MS) await Bun.sleep(LOOK_MS);
  return find();
}

/** The tree may be reached by more than one name. */
function isAgentOf(words: readonly string[], { hostId, hostName }: AgentIdentity, directories: ReadonlySet<string>): boolean {
  const at = words.findIndex((word) => word.startsWith("/") && basename(word) === PROGRAM);
  const [program = "", driver, id, name] = at < 0 ? [] : words.slice(at);
  return (DRIVERS as readonly unknown[]).includes(driver) && id === String(hostId) && name === hostName && directories.has(realPath(dirname(program)));
}

/** The words of a process; none when it has ended. */
export function commandLine(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\0");
  } catch {
    return [];
  }
}

/** False when it has ended, or is somebody else's. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Where a path leads, or the path itself. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
