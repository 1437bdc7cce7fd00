import type { Probe } from "./probe.ts";

/** The one list of what the monitoring probes report, by `category/name` as `onevirt probe` takes it. Order inside a category is the byte order of `file`. */
export const probes = {
} as const satisfies Record<string, Probe>;

export type ProbeName = keyof typeof probes;

/** The row of a name, or undefined. */
export function findProbe(name: string): Probe | undefined {
  return Object.hasOwn(probes, name) ? (probes as Record<string, Probe>)[name] : undefined;
}
