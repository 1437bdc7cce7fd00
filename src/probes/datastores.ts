import { join } from "node:path";
import { humanSize } from "../codec/human-size.ts";
import type { Context, StorageSpace } from "../core/ports.ts";
import { type Datastore, type DatastorePorts, monitoredDatastores, orLeftOut, STORAGE_SECONDS } from "../monitor/datastores.ts";
import type { ProbeRequest } from "./probe.ts";

const MIB = 1024 * 1024;

/** How long the images of a cache may take to be counted. */
const CACHE_SECONDS = 15;

/** Room in the datastores of this host (monitoring.md 6.5). A file system that does not answer costs its own numbers only. */
export async function run({ configuration: { datastoreLocation } }: ProbeRequest, context: Context): Promise<string> {
  const { storage, files, deadline } = context;
  const whole = await orLeftOut(`"${datastoreLocation}"`, context, async () => {
    const at = deadline.within(STORAGE_SECONDS);
    if ((await storage.look(datastoreLocation, at)) === undefined) files.makeDirectory(datastoreLocation, 0o750);
    return storage.space(datastoreLocation, at);
  });
  const datastores = (await orLeftOut("datastores", context, () => monitoredDatastores(datastoreLocation, context))) ?? [];
  const records = await Promise.all(datastores.map((datastore) => describe(datastore, context)));
  return [whole ? location(whole) : "", ...records].join("");
}

function location(space: StorageSpace): string {
  const { used, total, available } = inMib(space);
  return `DS_LOCATION_USED_MB  = ${used}\nDS_LOCATION_TOTAL_MB = ${total}\nDS_LOCATION_FREE_MB  = ${available}\n`;
}

async function describe(datastore: Datastore, context: Context): Promise<string> {
  const space = await orLeftOut(`datastore ${datastore.id}`, context, () => context.storage.space(datastore.path, context.deadline.within(STORAGE_SECONDS)));
  if (!space) return "";
  const { used, total, available } = inMib(space);
  const cache = datastore.driver === "replica" ? await describeCache(datastore, context) : "";
  return `DS = [ ID = ${datastore.id},${cache} USED_MB = ${used}, TOTAL_MB = ${total}, FREE_MB = ${available} ]\n`;
}

/** A cache of replicas: how much it takes, and how many images it holds. */
async function describeCache({ id, path }: Datastore, context: Context): Promise<string> {
  const size = await orLeftOut(`size of the cache in datastore ${id}`, context, () => context.storage.allocated(path, context.deadline.within(CACHE_SECONDS)));
  const images = await orLeftOut(`images in datastore ${id}`, context, () => countImages(path, context));
  return ` REPLICA_CACHE = "YES",${size === undefined ? "" : ` REPLICA_CACHE_SIZE = ${humanSize(size)},`} REPLICA_IMAGES = ${images ?? "unknown"},`;
}

/** Plain files that are named like digests. */
async function countImages(path: string, { storage, deadline }: DatastorePorts): Promise<number> {
  const names = (await storage.names(path, deadline.within(STORAGE_SECONDS))).filter((name) => /^[-0-9a-f]+$/.test(name));
  const entries = await Promise.all(names.map((name) => storage.look(join(path, name), deadline.within(STORAGE_SECONDS))));
  return entries.filter((entry) => entry?.kind === "file").length;
}

/** Rounded up, as `df -B1M` does. */
export function inMib({ total, used, available }: StorageSpace): StorageSpace {
  return { total: Math.ceil(total / MIB), used: Math.ceil(used / MIB), available: Math.ceil(available / MIB) };
}
