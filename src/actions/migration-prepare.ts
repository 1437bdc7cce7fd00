import { dirname, join, normalize } from "node:path";
import type { Context, MigrationParameters } from "../core/ports.ts";
import { DestinationFiles } from "../migration/destination-files.ts";
import { type PlannedDisk, sentFor } from "../migration/disks.ts";
import type { Journal, JournalEntry } from "../migration/journal.ts";
import type { MigrationOptions } from "../migration/option-reader.ts";
import { MIGRATE, PARAMETER } from "../migration/options.ts";
import type { MigrationRequest } from "../migration/request.ts";
import { resolveLink } from "./disk-links.ts";
import { readImage } from "./image-info.ts";

/** One thing to make on the destination, and what takes it back. */
interface Making {
  readonly path: string;
  readonly make: () => Promise<unknown>;
}

/**
 * Makes on the destination what QEMU needs there before it copies disks that are not shared (actions.md 7.12): directories, files
 * that nobody writes, images to fill, links. Nothing that is there already is replaced; what is made is written into the journal
 * before it is made, so that a rollback takes back exactly that.
 */
export async function prepareFiles(planned: readonly PlannedDisk[], request: MigrationRequest, entry: JournalEntry, journal: Journal, context: Context): Promise<JournalEntry> {
  const { sourceDirectory: from, destinationDirectory: to } = request;
  if (request.shared || from === undefined || to === undefined) return entry;
  const there = new DestinationFiles(request.destination, context);
  let noted = entry;
  for (const { path, make } of await makings(planned, from, to, there, context)) {
    if (noted.made.includes(path) || (await there.exists(path))) continue;
    noted = journal.write({ ...noted, made: [...noted.made, path] });
    await make();
  }
  await there.send(documents(from, context), to); // as upstream, also when they are there
  return noted;
}

async function makings(planned: readonly PlannedDisk[], from: string, to: string, there: DestinationFiles, context: Context): Promise<readonly Making[]> {
  const made: Making[] = [directory(to, there)];
  for (const each of planned) made.push(...(await makingsOf(each, there, context)));
  return [...made, ...links(from, to, there, context)];
}

async function makingsOf({ disk, plan }: PlannedDisk, there: DestinationFiles, context: Context): Promise<readonly Making[]> {
  if (plan.need === "nothing" || disk.path === undefined) return [];
  const path = normalize(resolveLink(disk.path, context.files)); // the link itself is made with all links
  if (plan.need === "copy" && plan.make === "image") {
    const { bytes } = await readImage(path, context);
    return [directory(dirname(path), there), { path, make: () => there.createImage(path, disk.format, bytes) }];
  }
  const sent = plan.need === "send" ? path : sentFor(path);
  if (sent === path) return [directory(dirname(path), there), { path, make: () => there.send([path], dirname(path)) }];
  const names = context.files.names(sent);
  return [directory(dirname(sent), there), directory(sent, there), ...names.map((name) => ({ path: join(sent, name), make: () => there.send([join(sent, name)], sent) }))];
}

function directory(path: string, there: DestinationFiles): Making {
  return { path: `${normalize(path).replace(/\/+$/, "")}/`, make: () => there.makeDirectory(path) };
}

/** disk.N of OpenNebula's layout leads to the image in use. */
function links(from: string, to: string, there: DestinationFiles, { files }: Context): readonly Making[] {
  const names = files.names(from).filter((name) => /^disk\.\d+$/.test(name) && files.kind(join(from, name)) === "symlink");
  return names.flatMap((name) => {
    const target = files.readLink(join(from, name));
    return target === undefined ? [] : [{ path: join(to, name), make: () => there.link(target, join(to, name)) }];
  });
}

/** Documents of the VM and its snapshots. */
function documents(from: string, { files }: Context): readonly string[] {
  return files.names(from).filter((name) => name.endsWith(".xml")).map((name) => join(from, name));
}

/** The options with the disks that QEMU copies. What MIGRATE_OPTIONS says of disks wins. */
export function withCopies(options: MigrationOptions, planned: readonly PlannedDisk[]): MigrationOptions {
  const targets = planned.filter(({ plan }) => plan.need === "copy").map(({ disk }) => disk.target);
  const asked = (options.flags & (MIGRATE.VIR_MIGRATE_NON_SHARED_DISK | MIGRATE.VIR_MIGRATE_NON_SHARED_INC)) !== 0;
  if (targets.length === 0) return options;
  const parameters: MigrationParameters = { [PARAMETER.disks]: targets, ...options.parameters };
  return { ...options, flags: asked ? options.flags : options.flags | MIGRATE.VIR_MIGRATE_NON_SHARED_DISK, parameters };
}
