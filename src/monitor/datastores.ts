import { join } from "node:path";
import type { Deadline } from "../core/deadline.ts";
import { messageOf } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";

/** Longest wait for one question to a file system: a server that is alive answers at once. */
export const STORAGE_SECONDS = 3;

export interface Datastore {
  readonly id: number;
  readonly path: string;
  /** Which transfer driver asked for it to be reported: the text of its `.monitor`. */
  readonly driver: string;
}

export type DatastorePorts = Pick<Context, "storage" | "log"> & { readonly deadline: Deadline };

/** Datastores of this host that are reported one by one (monitoring.md 6.5). Shared ones are not; one that does not answer is named and left out. */
export async function monitoredDatastores(location: string, ports: DatastorePorts): Promise<readonly Datastore[]> {
  const ids = await numberedDirectories(location, ports);
  const drivers = await Promise.all(ids.map((id) => orLeftOut(`datastore ${id}`, ports, () => ports.storage.text(join(location, String(id), ".monitor"), ports.deadline.within(STORAGE_SECONDS)))));
  return ids.flatMap((id, index) => {
    const driver = drivers[index]?.trim();
    return driver === undefined ? [] : [{ id, path: join(location, String(id)), driver }];
  });
}

/** Names that are plain numbers, ascending. */
export async function numberedDirectories(path: string, { storage, deadline }: DatastorePorts): Promise<readonly number[]> {
  const names = await storage.names(path, deadline.within(STORAGE_SECONDS));
  return names.filter((name) => /^(0|[1-9]\d{0,8})$/.test(name)).map(Number).sort((a, b) => a - b);
}

/** What cannot be read costs nobody else's numbers. */
export async function orLeftOut<T>(what: string, { log }: Pick<Context, "log">, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    log.log("WARN", `Left out: ${what}: ${messageOf(error)}`);
    return undefined;
  }
}
