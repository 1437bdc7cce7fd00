import type { Release } from "../codec/release.ts";
import type { DriverOptions } from "./options.ts";

/** Places of a front-end (driver-protocol.md 9.1); `ONE_LOCATION` moves them all. */
export interface Places {
  readonly etc: string;
  readonly home: string;
  readonly remotes: string;
  readonly logs: string;
}

/** All that an action may ask about the driver: options, places and the tables of the front-end's shell files. */
export interface DriverSettings {
  readonly options: DriverOptions;
  readonly places: Places;
  /** Where hosts keep the scripts. */
  readonly remoteDirectory: string;
  /** Of the remotes tree, when it says so. */
  readonly release: Release | undefined;
  /** `<VM_MAD>-<TM_MAD>` pairs. */
  readonly liveDiskSnapshots: ReadonlySet<string>;
  /** `<VN_MAD>-<action>` pairs. */
  readonly localNetworkActions: ReadonlySet<string>;
  readonly connectSeconds: number;
}

/** The places of a front-end; `location` is ONE_LOCATION, or empty for a packaged one. */
export function placesOf(location: string | undefined): Places {
  if (!location) return { etc: "/etc/one", home: "/var/lib/one", remotes: "/var/lib/one/remotes", logs: "/var/log/one" };
  return { etc: `${location}/etc`, home: `${location}/var`, remotes: `${location}/var/remotes`, logs: `${location}/var` };
}
