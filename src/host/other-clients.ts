import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { commandLine, endAll, realPath } from "./other-agents.ts";

/** Upstream's program: its control and its shepherd look for this on command lines (monitoring.md 11.1). */
const PROGRAM = "collectd-client.rb";
const DRIVERS = ["kvm", "qemu"] as const;

/** The words on the command line of a client before its arguments. The path is as the launcher has it. */
export function clientProgram(tree: string, driver: string): string {
  return join(tree, "im", `${driver}.d`, PROGRAM);
}

/** Pids of clients of 5.x, upstream's or ours: those of this tree, and the one that the pid file names, if it is one. A host has one for all drivers. Never this process. */
export function otherClients(tree: string, pidFile: string, proc = "/proc"): readonly number[] {
  const directories = new Set(DRIVERS.map((driver) => realPath(join(tree, "im", `${driver}.d`))));
  const named = Number(/^\d{1,9}$/.exec(textOf(pidFile).trim())?.[0] ?? 0);
  const pids = readdirSync(proc).filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => pid !== process.pid);
  return pids.filter((pid) => {
    const program = programIn(commandLine(`${proc}/${pid}/cmdline`));
    return program !== undefined && (pid === named || directories.has(realPath(dirname(program))));
  });
}

/** Ends them, and gives those that are still there. The next one writes the pid file anew. */
export function endClients(tree: string, pidFile: string): Promise<readonly number[]> {
  return endAll(() => otherClients(tree, pidFile));
}

/** The path of the program, where arguments follow it: somebody may be editing the file. */
function programIn(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => word.startsWith("/") && basename(word) === PROGRAM);
  return /^[a-z]/.test(words[at + 1] ?? "") ? words[at] : undefined;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
