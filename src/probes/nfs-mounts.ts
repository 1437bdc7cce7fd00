import { dirname, join, resolve } from "node:path";
import { attributeLines, quoted } from "../codec/attribute-text.ts";
import { parseMounts } from "../codec/kernel-text.ts";
import type { Context, Files } from "../core/ports.ts";
import { numberedDirectories, orLeftOut, STORAGE_SECONDS } from "../monitor/datastores.ts";
import type { ProbeRequest } from "./probe.ts";

/** Where the datastores come from that OpenNebula mounts itself: those with an `.automounted` (monitoring.md 6.3). */
export async function run({ configuration: { datastoreLocation } }: ProbeRequest, context: Context): Promise<string> {
  const { files, storage, deadline } = context;
  const ids = await numberedDirectories(datastoreLocation, context);
  const marks = await Promise.all(ids.map((id) => orLeftOut(`datastore ${id}`, context, () => storage.look(join(datastoreLocation, String(id), ".automounted"), deadline.within(STORAGE_SECONDS)))));
  const mounts = new Map(parseMounts(files.findText("/proc/self/mounts") ?? "").map(({ target, source }) => [target, source]));
  const sources = ids.flatMap((id, index) => (marks[index] === undefined ? [] : (mounts.get(placeOf(join(datastoreLocation, String(id)), files)) ?? [])));
  return attributeLines({ AUTONFS_MOUNT: quoted(sources.join(",")) });
}

/** A datastore may be a link to where the file system is mounted. */
function placeOf(path: string, files: Files): string {
  const target = files.readLink(path);
  return target === undefined ? path : resolve(dirname(path), target);
}
