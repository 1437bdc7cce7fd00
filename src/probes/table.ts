import type { Probe } from "./probe.ts";

/** The one list of what the monitoring probes report, by `category/name` as `onevirt probe` takes it. Order inside a category is the byte order of `file`. */
export const probes = {
  "host/beacon/date": {
    summary: "Say that the host lives",
    category: "host/beacon",
    file: "date.sh",
    limitSeconds: 5,
    load: () => import("./beacon.ts"),
  },
  "vm/status/state": {
    summary: "Report VMs whose state changed, or all at a sync",
    category: "vm/status",
    file: "state.rb",
    limitSeconds: 10,
    load: () => import("./vm-status.ts"),
  },
  "vm/execution/exec": {
    summary: "Report commands in guests that have ended",
    category: "vm/execution",
    file: "exec.rb",
    limitSeconds: 30,
    load: () => import("./vm-execution.ts"),
  },
} as const satisfies Record<string, Probe>;

export type ProbeName = keyof typeof probes;

/** The row of a name, or undefined. */
export function findProbe(name: string): Probe | undefined {
  return Object.hasOwn(probes, name) ? (probes as Record<string, Probe>)[name] : undefined;
}

/** The row that takes the place of a file in a category's directory, or undefined: then it is somebody else's program. */
export function probeFor(category: string, file: string): Probe | undefined {
  return Object.values(probes as Record<string, Probe>).find((probe) => probe.category === category && probe.file === file);
}
