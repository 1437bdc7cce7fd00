import type { Manifest } from "./manifest.ts";
import { isMonitoring, type Monitor, monitoringFiles } from "./monitoring.ts";
import { actionFiles, commonFiles, type TreeFile } from "./tree.ts";

/** What onevirt takes over of a tree; each part works without the other. */
export interface Parts {
  /** What oned does to VMs: `vmm`. */
  readonly actions: boolean;
  /** What the front-end hears of hosts and VMs: `im`. */
  readonly monitoring: boolean;
}

export const BOTH: Parts = { actions: true, monitoring: true };

/** Whoever asks for nothing gets the actions, and keeps OpenNebula's monitoring: one step at a time. */
const FIRST: Parts = { actions: true, monitoring: false };

/** Everything in the tree but the executable, in the order of the paths. */
export function treeFiles({ actions, monitoring }: Parts = BOTH, monitor: Monitor = "monitord"): readonly TreeFile[] {
  return [...commonFiles(), ...(actions ? actionFiles() : []), ...(monitoring ? monitoringFiles(monitor) : [])].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** What an installation has taken over. */
export function partsOf(manifest: Manifest | undefined): Parts {
  if (!manifest) return FIRST;
  return { actions: manifest.files.some(({ path }) => path.startsWith("vmm/")), monitoring: manifest.files.some(({ path }) => isMonitoring(path)) };
}
