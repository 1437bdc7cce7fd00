import type { Scenario } from "./driver-scenario.ts";

/** As shipped (driver-protocol.md 1.2, 16). */
const LIVE_SNAPSHOTS = {
  kvm: ["qcow2", "shared", "ceph", "ssh", "local", "lvm_thin", "lvm", "netapp", "purefa"],
  qemu: ["qcow2", "shared", "ceph", "ssh", "local", "netapp"],
  lxc: ["qcow2", "shared", "ceph", "ssh", "local", "lvm_thin", "lvm"],
} as const;
const EXECRC = `LIVE_DISK_SNAPSHOTS="${Object.entries(LIVE_SNAPSHOTS).flatMap(([vmm, tms]) => tms.map((tm) => `${vmm}-${tm}`)).join(" ")}"
VNMAD_LOCAL_ACTIONS="elastic-post elastic-clean"
`;
const EXECRC_5 = 'LIVE_DISK_SNAPSHOTS="kvm-qcow2 kvm-ceph"\n';

/** Recordings of release 5.6 say so in their name. */
export function isOld({ name }: Scenario): boolean {
  return /^(?:defect-)?v5\./.test(name);
}

/** The driver's configuration file. */
export function execrcOf(scenario: Scenario): string {
  return isOld(scenario) ? EXECRC_5 : EXECRC;
}

/** Where a script of a network driver runs: its host, or LOCAL by `-l` or the configuration (driver-protocol.md 11.3). */
export function networkPlace(scenario: Scenario, driver: string, step: string, host: string): string {
  const pairs = /VNMAD_LOCAL_ACTIONS="([^"]*)"/.exec(execrcOf(scenario))?.[1]?.split(" ") ?? [];
  return localActions(scenario.arguments).has(step.replaceAll("_", "")) || pairs.includes(`${driver}-${step}`) ? "LOCAL" : host;
}

/** Where a script of the hypervisor runs, and its file name. */
export function hypervisorPlace(scenario: Scenario, step: string, host: string): { readonly place: string; readonly script: string } {
  const override = localActions(scenario.arguments).get(step.replaceAll("_", ""));
  return override === undefined ? { place: host, script: step } : { place: "LOCAL", script: override || step };
}

/** Actions of `-l` without their underscores, each with the script in its place or "" (driver-protocol.md 7.1, 7.2). The last list counts. */
export function localActions(words: string): ReadonlyMap<string, string> {
  const list = [...` ${words}`.matchAll(/ (?:-l ?|--l(?:o(?:c(?:a(?:l)?)?)?)?[= ])(\S+)/g)].at(-1)?.[1] ?? "";
  return new Map(list.split(",").flatMap((item) => {
    const [, name, script = ""] = /([^=]+)(?:=(.*))?/.exec(item) ?? [];
    return name === undefined ? [] : [[name.toLowerCase().replaceAll("_", ""), script] as const];
  }));
}
