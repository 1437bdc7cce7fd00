import { join } from "node:path";
import type { Generation } from "../core/ports.ts";
import { probes } from "../probes/table.ts";
import launcher from "./monitoring-launcher.sh" with { type: "text" };
import { EXECUTABLE_MODE, type TreeFile } from "./tree.ts";

/** Information drivers whose hosts our agent reports; both mean libvirt's QEMU driver. */
const DRIVERS = ["kvm", "qemu"] as const;

/** Who takes the reports of a tree's hosts: collectd of 5.x, or onemonitord since 5.12. One tree cannot serve both, because whatever is executable in a directory of probes is run. */
export type Monitor = Generation["monitoring"];

/**
 * The part of the tree that takes over monitoring: the control of the agent, and every probe that we have. The scripts of upstream
 * that we have no row for stay, and are run as programs; so does im/run_monitord_client, which other hypervisors use too.
 */
export function monitoringFiles(monitor: Monitor): readonly TreeFile[] {
  const rows = Object.values(probes).filter(({ category }) => (category === "collectd") === (monitor === "collectd"));
  const paths = DRIVERS.flatMap((driver) => [`im/${driver}.d/${monitor}-client_control.sh`, ...rows.map(({ category, file }) => join("im", `${driver}-probes.d`, category === "collectd" ? "" : category, file))]);
  return paths.sort().map((path) => ({ path, mode: EXECUTABLE_MODE, text: launcher }));
}

/** Whether a path in the tree belongs to monitoring. */
export function isMonitoring(path: string): boolean {
  return path.startsWith("im/");
}
