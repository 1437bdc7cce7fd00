import { readFileSync } from "node:fs";
import { giveBack } from "./libc.ts";

/** A line of /proc/PID/maps: code, never written to, of a file. */
const CODE = /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ \S+ +(\/.*)$/gm;

/**
 * Gives back the code that the start and the compiler have used once: of the runtime's 40 MiB a resident process needs a third. What
 * is needed again is still in the kernel's cache. For processes that wait most of the time; others would only pay for it.
 */
export function giveCodeBack(executable: string, maps = readFileSync("/proc/self/maps", "latin1")): number {
  const mappings = [...maps.matchAll(CODE)].filter(([, , , path]) => path === executable || path === `${executable} (deleted)`);
  for (const [, from = "", to = ""] of mappings) giveBack(Number.parseInt(from, 16), Number.parseInt(to, 16) - Number.parseInt(from, 16));
  return mappings.length;
}
