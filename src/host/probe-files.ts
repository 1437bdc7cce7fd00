import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { capture, cleanEnvironment } from "./commands.ts";

/** How long somebody's program may take in one pass. */
const PROGRAM_MS = 60_000;
const GRACE_MS = 1000;

/** The programs in a directory of probes: regular, executable, in the byte order of their names (monitoring.md 4.6). None when there is no such directory. */
export function probeFiles(directory: string): readonly string[] {
  return names(directory).filter((name) => isProgram(join(directory, name))).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Programs that run now, by the pids of their groups. */
const running = new Set<number>();

/** Ends what still runs: whoever started it is about to end. */
export function endPrograms(): void {
  for (const pid of running) signalGroup(pid, "SIGKILL");
}

/** Runs a program with stdin, in a process group of its own; the group ends with the limit. */
export async function runProbe(argv: readonly string[], cwd: string, stdin: string, limitMs = PROGRAM_MS): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
  const child = Bun.spawn({ cmd: [...argv], cwd, env: cleanEnvironment(), stdin: Buffer.from(stdin), stdout: "pipe", stderr: "pipe", detached: true });
  running.add(child.pid);
  const timer = setTimeout(() => endGroup(child.pid), limitMs);
  const [stdout, stderr] = [capture(child.stdout), capture(child.stderr)];
  try {
    const exitCode = await child.exited;
    // What it left behind may hold the pipes open: what was said until then counts.
    await Promise.race([Promise.all([stdout.closed, stderr.closed]), Bun.sleep(GRACE_MS)]);
    return { exitCode, stdout: stdout.text(), stderr: child.signalCode ? `ended by ${child.signalCode}${stderr.text() ? `: ${stderr.text()}` : ""}` : stderr.text() };
  } finally {
    clearTimeout(timer);
    running.delete(child.pid);
    for (const each of [stdout, stderr]) each.stop();
  }
}

function endGroup(pid: number): void {
  signalGroup(pid, "SIGTERM");
  setTimeout(() => signalGroup(pid, "SIGKILL"), GRACE_MS).unref();
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    return; // it has ended
  }
}

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
