import { readFileSync, readdirSync } from "node:fs";

/** Pids of the programs on this machine whose command line is one of these. A process that is about to become another program shows its parent's words until it does; such a copy is none. */
export function programsThat(areMeant: (words: readonly string[]) => boolean): readonly number[] {
  const found = new Set(readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => areMeant(wordsOf(pid))));
  return [...found].filter((pid) => !found.has(parentOf(pid)));
}

/** The command line of a process; none of one that has ended, though nobody has waited for it. */
export function wordsOf(pid: number): readonly string[] {
  return read(`/proc/${pid}/cmdline`).split("\0").slice(0, -1);
}

function parentOf(pid: number): number {
  return Number(/\) \S (\d+)/.exec(read(`/proc/${pid}/stat`))?.[1]);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
