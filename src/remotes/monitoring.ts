import { probes } from "../probes/table.ts";
import launcher from "./monitoring-launcher.sh" with { type: "text" };
import { EXECUTABLE_MODE, type TreeFile } from "./tree.ts";

/** Information drivers whose hosts our agent reports; both mean libvirt's QEMU driver. */
const DRIVERS = ["kvm", "qemu"] as const;

/**
 * The part of the tree that takes over monitoring: the control of the agent, and every probe that we have. The scripts of upstream
 * that we have no row for stay, and are run as programs; so does im/run_monitord_client, which other hypervisors use too.
 */
export function monitoringFiles(): readonly TreeFile[] {
  const paths = DRIVERS.flatMap((driver) => [`im/${driver}.d/monitord-client_control.sh`, ...Object.values(probes).map(({ category, file }) => `im/${driver}-probes.d/${category}/${file}`)]);
  return paths.sort().map((path) => ({ path, mode: EXECUTABLE_MODE, text: launcher }));
}

/** Whether a path in the tree belongs to monitoring. */
export function isMonitoring(path: string): boolean {
  return path.startsWith("im/");
}
