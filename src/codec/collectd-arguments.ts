import { OnevirtError } from "../core/errors.ts";

/** What a front-end of 5.x says to the client of a host, as arguments (monitoring.md 11.1). */
export interface CollectdArguments {
  readonly driver: "kvm" | "qemu";
  readonly datastoreLocation: string;
  readonly port: number;
  readonly intervalSeconds: number;
  readonly hostId: number;
  readonly hostName: string;
}

/** Upstream's, for an interval that is none. */
const DEFAULT_SECONDS = 20;

export const COLLECTD_USAGE = "DRIVER DATASTORE_LOCATION PORT SECONDS HOST_ID HOST_NAME";

/** Reads them in their order; probes hear the driver as `kvm-probes`. BAD_ARGUMENT names the one that is wrong. */
export function readCollectdArguments([driver = "", location = "", port = "", seconds = "", hostId = "", hostName = ""]: readonly string[]): CollectdArguments {
  const name = driver.replace(/-probes$/, "");
  if (name !== "kvm" && name !== "qemu") throw wrong(driver, "is no driver of this client: kvm or qemu");
  if (!location.startsWith("/") || /\p{Cc}/u.test(location)) throw wrong(location, "is no directory of datastores");
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) throw wrong(port, "is no port");
  if (!/^\d{0,6}$/.test(seconds)) throw wrong(seconds, "is no number of seconds");
  if (!/^\d{1,9}$/.test(hostId)) throw wrong(hostId, "is no number of a host");
  if (hostName === "" || /[\s\p{Cc}]/u.test(hostName)) throw wrong(hostName, "is no name of a host");
  return { driver: name, datastoreLocation: location, port: Number(port), intervalSeconds: Number(seconds) || DEFAULT_SECONDS, hostId: Number(hostId), hostName };
}

function wrong(value: string, why: string): OnevirtError {
  return new OnevirtError("BAD_ARGUMENT", `${JSON.stringify(value)} ${why}`, { hint: `expected are ${COLLECTD_USAGE}, as in: kvm /var/lib/one/datastores 4124 60 0 host` });
}
