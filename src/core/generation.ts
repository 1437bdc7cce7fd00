import type { Generation } from "./ports.ts";

/** What the tree's VERSION file says about the oned that calls us (actions.md 16.1). Without one, the newest is assumed. */
export function generationOf(versionFile: string | undefined): Generation {
  const version = versionFile?.trim().split(/\s+/).at(-1) || undefined;
  return {
    version,
    errors: isBefore(version, 6, 2) ? "markers" : "plain",
    deployAnswer: isBefore(version, 6, 0) ? "name" : "uuid",
    poll: isBefore(version, 5, 8) ? "5.4" : "5.8",
    monitoring: isBefore(version, 5, 12) ? "collectd" : "monitord",
    vhostSockets: isBefore(version, 7, 4) ? "/var/lib/one/vhost-sockets" : "/var/run/one/vhost-socks",
  };
}

/** Whether a version is older than this one; one that is not known never is. */
export function isBefore(version: string | undefined, major: number, minor: number): boolean {
  const [, ourMajor, ourMinor] = /^(\d+)\.(\d+)/.exec(version ?? "") ?? [];
  if (ourMajor === undefined) return false;
  return Number(ourMajor) < major || (Number(ourMajor) === major && Number(ourMinor) < minor);
}
