import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { cleanEnvironment } from "./commands.ts";

/** How long somebody's program may take in one pass. */
const PROGRAM_MS = 60_000;
const GRACE_MS = 1000;

/** The programs in a directory of probes: regular, executable, in the byte order of their names (monitoring.md 4.6). None when there is no such directory. */
export function probeFiles(directory: string): readonly string[] {
  return names(directory).filter((name) => isProgram(join(directory, name))).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Runs a program with stdin, in a process group of its own; the group ends with the limit. */
export async function runProbe(argv: readonly string[], cwd: string, stdin: string): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
  const child = Bun.spawn({ cmd: [...argv], cwd, env: cleanEnvironment(), stdin: Buffer.from(stdin), stdout: "pipe", stderr: "pipe", detached: true });
  const timer = setTimeout(() => endGroup(child.pid), PROGRAM_MS);
  try {
    const [stdout, stderr, exitCode] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
    return { exitCode, stdout, stderr: child.signalCode ? `ended by ${child.signalCode}${stderr ? `: ${stderr}` : ""}` : stderr };
  } finally {
    clearTimeout(timer);
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
