import { join } from "node:path";
import type { StorageEntry } from "../core/ports.ts";
import { type Datastore, type DatastorePorts, numberedDirectories, orLeftOut, STORAGE_SECONDS } from "./datastores.ts";

const MIB = 1024 * 1024;

/** Transfer drivers whose images are files on this host, and how many MiB one of them counts for (monitoring.md 7.7). */
const MEASURES: ReadonlyMap<string, (entry: StorageEntry) => number> = new Map([
  ["ssh", ({ allocated }) => Math.ceil(allocated / MIB)], // as `du -mL` says it
  ["local", ({ bytes }) => Math.floor(bytes / MIB)],
]);

/** The disks of one VM, in MiB. */
export interface VmDisks {
  readonly vmId: number;
  readonly disks: readonly { readonly id: number; readonly size: number }[];
  readonly snapshots: readonly { readonly id: number; readonly diskId: number; readonly size: number }[];
}

/** Whether this host can measure the images of a transfer driver itself. */
export function isMeasured(driver: string): boolean {
  return MEASURES.has(driver);
}

/** Sizes of the disks in a datastore, for every VM that has some. One whose directory cannot be read is named and left out. */
export async function disksIn({ path, driver }: Datastore, ports: DatastorePorts): Promise<readonly VmDisks[]> {
  const measure = MEASURES.get(driver) ?? (() => 0);
  const ids = await numberedDirectories(path, ports);
  const all = await Promise.all(ids.map((vmId) => orLeftOut(`disks of VM ${vmId}`, ports, () => disksOf(vmId, join(path, String(vmId)), measure, ports))));
  return all.flatMap((vm) => (vm && vm.disks.length + vm.snapshots.length > 0 ? [vm] : []));
}

async function disksOf(vmId: number, directory: string, measure: (entry: StorageEntry) => number, ports: DatastorePorts): Promise<VmDisks> {
  const names = await ports.storage.names(directory, ports.deadline.within(STORAGE_SECONDS));
  const disks = await Promise.all(numbers(names, /^disk\.(\d+)$/).map(async (id) => ({ id, size: await sizeOf(join(directory, `disk.${id}`), measure, ports) })));
  const snapshots = await Promise.all(numbers(names, /^disk\.(\d+)\.snap$/).map((diskId) => snapshotsOf(diskId, join(directory, `disk.${diskId}.snap`), measure, ports)));
  return { vmId, disks: disks.flatMap(known), snapshots: snapshots.flat() };
}

async function snapshotsOf(diskId: number, directory: string, measure: (entry: StorageEntry) => number, ports: DatastorePorts) {
  const ids = numbers(await ports.storage.names(directory, ports.deadline.within(STORAGE_SECONDS)), /^(\d+)$/);
  return (await Promise.all(ids.map(async (id) => ({ id, diskId, size: await sizeOf(join(directory, String(id)), measure, ports) })))).flatMap(known);
}

/** Undefined for what is no file, as a link to a device. */
async function sizeOf(path: string, measure: (entry: StorageEntry) => number, { storage, deadline }: DatastorePorts): Promise<number | undefined> {
  const entry = await storage.look(path, deadline.within(STORAGE_SECONDS));
  return entry?.kind === "file" ? measure(entry) : undefined;
}

function known<T extends { readonly size: number | undefined }>(each: T): readonly (T & { readonly size: number })[] {
  return each.size === undefined ? [] : [{ ...each, size: each.size }];
}

function numbers(names: readonly string[], pattern: RegExp): readonly number[] {
  return names.flatMap((name) => pattern.exec(name)?.[1] ?? []).map(Number).sort((a, b) => a - b);
}
