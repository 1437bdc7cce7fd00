import { readFileSync } from "node:fs";
import { dropPages } from "./libc.ts";

/** A part of this process's memory (proc_pid_smaps(5)). */
export interface Mapping {
  readonly start: number;
  readonly bytes: number;
  /** As in `r-xp`. */
  readonly permissions: string;
  /** The file that it shows; empty for memory of the process's own. */
  readonly path: string;
  /** What of it is the process's own, because it was written to. */
  readonly privateKiB: number;
}

/**
 * Gives the pages of programs and libraries back to the kernel. What a start runs once is a third of what an agent would keep for
 * weeks; code that is still needed is mapped again from the page cache when it runs next. A kernel that does not tell (without
 * CONFIG_PROC_PAGE_MONITOR) costs that memory, and nothing else.
 */
export function giveCodeBack(smaps = "/proc/self/smaps"): void {
  for (const { start, bytes } of mappingsOf(smaps).filter(isCode)) dropPages(start, bytes);
}

function mappingsOf(smaps: string): readonly Mapping[] {
  try {
    return parseMappings(readFileSync(smaps, "latin1"));
  } catch {
    return [];
  }
}

/** Mappings of a process, in their order. */
export function parseMappings(smaps: string): readonly Mapping[] {
  return smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap((block) => {
    const [, from, to, permissions, path] = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$/m.exec(block) ?? [];
    const privateKiB = /^Anonymous: +(\d+) kB$/m.exec(block)?.[1];
    if (from === undefined || to === undefined || permissions === undefined || path === undefined || privateKiB === undefined) return [];
    const start = Number.parseInt(from, 16);
    return [{ start, bytes: Number.parseInt(to, 16) - start, permissions, path, privateKiB: Number(privateKiB) }];
  });
}

/** A file's, that nobody can write to or has written to before: the loader makes what it has changed read-only afterwards, and that would be lost. A file that is deleted is still mapped. */
export function isCode({ permissions, path, privateKiB }: Mapping): boolean {
  return path.startsWith("/") && permissions.startsWith("r") && permissions[1] === "-" && privateKiB === 0;
}
