import { readFileSync, readdirSync } from "node:fs";

/** Pids of the programs on this machine whose command line is one of these. A process that is about to become another program shows its parent's words until it does; such a copy is none. */
export function programsThat(areMeant: (words: readonly string[]) => boolean): readonly number[] {
  const parents = new Map(readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => areMeant(wordsOf(pid))).map((pid) => [pid, parentOf(pid)]));
  return [...parents].flatMap(([pid, parent]) => (parent === undefined || parents.has(parent) ? [] : [pid]));
}

/** The command line of a process; none of one that has ended, though nobody has waited for it. */
export function wordsOf(pid: number): readonly string[] {
  return read(`/proc/${pid}/cmdline`).split("\0").slice(0, -1);
}

/** Undefined for one that has ended meanwhile. */
function parentOf(pid: number): number | undefined {
  const parent = /\) \S (\d+)/.exec(read(`/proc/${pid}/stat`))?.[1];
  return parent === undefined ? undefined : Number(parent);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
