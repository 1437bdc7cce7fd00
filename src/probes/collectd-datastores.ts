import { join } from "node:path";
import { OnevirtError } from "../core/errors.ts";
import type { Context, StorageSpace } from "../core/ports.ts";
import { type Datastore, numberedDirectories, orLeftOut, STORAGE_SECONDS } from "../monitor/datastores.ts";
import { disksIn, isMeasured, type VmDisks } from "../monitor/disk-sizes.ts";
import { inMib } from "./datastores.ts";
import { askDriver } from "./disk-sizes.ts";
import type { ProbeRequest } from "./probe.ts";

/**
 * Room in every datastore directory, and the disks in those that are this host's own, as oned 5.x takes them (monitoring.md 11.1).
 * Fails when the location itself does not answer: oned would take the missing numbers for 0.
 */
export async function run({ configuration: { datastoreLocation } }: ProbeRequest, context: Context): Promise<string> {
  const { storage, files, deadline } = context;
  const at = deadline.within(STORAGE_SECONDS);
  if ((await storage.look(datastoreLocation, at)) === undefined) files.makeDirectory(datastoreLocation, 0o750);
  const whole = await storage.space(datastoreLocation, at);
  if (!whole) throw new OnevirtError("FILE_FAILED", `Cannot tell how much room "${datastoreLocation}" has: no such file or directory`);
  const ids = (await numberedDirectories(datastoreLocation, context)).map(String).sort(); // as ls has them
  return [location(whole), ...(await Promise.all(ids.map((id) => describe(Number(id), join(datastoreLocation, id), context))))].join("");
}

function location(space: StorageSpace): string {
  const { used, total, available } = inMib(space);
  return `DS_LOCATION_USED_MB=${used}\nDS_LOCATION_TOTAL_MB=${total}\nDS_LOCATION_FREE_MB=${available}\n`;
}

/** Its record, with the disks behind it. What does not answer is left out. */
async function describe(id: number, path: string, context: Context): Promise<string> {
  const { storage, deadline } = context;
  const room = await orLeftOut(`datastore ${id}`, context, async () => {
    const at = deadline.within(STORAGE_SECONDS);
    return (await storage.look(path, at))?.kind === "directory" ? storage.space(path, at) : undefined;
  });
  if (!room) return "";
  const { used, total, available } = inMib(room);
  const disks = await orLeftOut(`disks in datastore ${id}`, context, () => disksOf(id, path, context));
  return `DS = [\n  ID = ${id},\n  USED_MB = ${used},\n  TOTAL_MB = ${total},\n  FREE_MB = ${available}\n]\n${disks ?? ""}`;
}

/** Only where a transfer driver has left its name; an empty file is of the days when there was one driver (monitoring.md 7.7). */
async function disksOf(id: number, path: string, context: Context): Promise<string> {
  const mark = await context.storage.text(join(path, ".monitor"), context.deadline.within(STORAGE_SECONDS));
  if (mark === undefined) return "";
  const datastore: Datastore = { id, path, driver: mark.trim() || "ssh" };
  return isMeasured(datastore.driver) ? (await disksIn(datastore, context)).map(record).join("") : askDriver(datastore, context);
}

/** A part of the VM's POLL: oned puts all records of a VM together, and takes the state from the one of `poll`. */
function record({ vmId, disks, snapshots }: VmDisks): string {
  const words = [...disks.map(({ id, size }) => `DISK_SIZE=[ID=${id},SIZE=${size}] `), ...snapshots.map(({ id, diskId, size }) => `SNAPSHOT_SIZE=[ID=${id},DISK_ID=${diskId},SIZE=${size}] `)];
  return `VM=[ID=${vmId},POLL="${words.join("")}"]\n`;
}
