import { scriptsRemoteDirectory } from "../codec/oned-config.ts";
import { rcVariables } from "../codec/rc-file.ts";
import { releaseOf } from "../codec/release.ts";
import type { DriverOptions } from "./options.ts";
import type { FrontEnd } from "./ports.ts";
import { placesOf } from "./settings.ts";
import type { DriverSettings } from "./settings.ts";

export type Environment = Readonly<Record<string, string>>;

/** What the front-end's files add to the environment, as upstream's wrapper exports it: they win over what came in (driver-protocol.md 1.2). */
export function environmentOf(inherited: Environment, frontEnd: FrontEnd): Environment {
  const { etc } = placesOf(inherited["ONE_LOCATION"]);
  const files = [`${etc}/defaultrc`, `${etc}/vmm_exec/vmm_execrc`].map((path) => rcVariables(text(frontEnd, path) ?? ""));
  return Object.assign({ ...inherited }, ...files) as Environment;
}

/** All that actions may ask about the driver. */
export function settingsOf(options: DriverOptions, environment: Environment, frontEnd: FrontEnd): DriverSettings {
  const places = placesOf(environment["ONE_LOCATION"]);
  return {
    options, places,
    remoteDirectory: scriptsRemoteDirectory(text(frontEnd, `${places.home}/config`)),
    release: releaseOf(text(frontEnd, `${places.remotes}/VERSION`)),
    liveDiskSnapshots: words(environment["LIVE_DISK_SNAPSHOTS"]),
    localNetworkActions: words(environment["VNMAD_LOCAL_ACTIONS"]),
    connectSeconds: seconds(environment["ONEVIRT_CONNECT_TIMEOUT"], 10),
  };
}

/** The nice value of the driver and all that it starts (1.2): 19 when it is not set, as given when it is a number. */
export function priorityOf(environment: Environment): number {
  const value = environment["PRIORITY"]?.trim() || "19";
  return /^-?\d{1,3}$/.test(value) ? Math.max(-20, Math.min(19, Number(value))) : 19;
}

/** Where words for developers go when `ONE_MAD_DEBUG` asks for them: named after the hypervisor, not after the last option (1.2, defect). */
export function debugFile(options: DriverOptions, environment: Environment): string | undefined {
  const { logs } = placesOf(environment["ONE_LOCATION"]);
  return environment["ONE_MAD_DEBUG"] ? `${logs}/one_vmm_${options.hypervisor}.log` : undefined;
}

function text(frontEnd: FrontEnd, path: string): string | undefined {
  const bytes = frontEnd.findBytes(path);
  return bytes && Buffer.from(bytes).toString("utf8");
}

function words(text: string | undefined): ReadonlySet<string> {
  return new Set((text ?? "").split(/\s+/).filter((word) => word !== ""));
}

function seconds(text: string | undefined, absent: number): number {
  return text !== undefined && /^[1-9]\d{0,4}$/.test(text) ? Number(text) : absent;
}
