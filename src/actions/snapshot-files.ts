import { join } from "node:path";
import { moveDirectory } from "../codec/moved-paths.ts";
import { replaceTexts } from "../codec/xml-edit.ts";
import { messageOf } from "../core/errors.ts";
import type { Context, DomainIdentity } from "../core/ports.ts";
import { lookTime } from "./look-time.ts";
import { safeVirtiofsd } from "./virtiofsd.ts";

const SNAPSHOT_FILE = /^snap-(\d+)\.xml$/;

/**
 * Tells libvirt about the system snapshots that the VM had when it ran last, parents first. The files carry the UUID of that run, and
 * the paths of the system datastore that the VM was in then, where libvirt would look for its disks when it reverts.
 * A snapshot that libvirt refuses is told and left out: the VM runs, and its disks still hold the snapshot.
 */
export async function redefineSnapshots(directory: string, domain: DomainIdentity, context: Context): Promise<void> {
  const names = context.files.names(directory).filter((name) => SNAPSHOT_FILE.test(name));
  for (const name of names.sort((a, b) => number(a) - number(b))) {
    await redefine(directory, name, domain, context).catch((error: unknown) => context.log.log("WARN", `Snapshot ${name} of "${domain.name}" was not redefined: ${messageOf(error)}`));
  }
}

async function redefine(directory: string, name: string, { uuid }: DomainIdentity, context: Context): Promise<void> {
  const { files, hypervisor } = context;
  const path = join(directory, name);
  const stored = files.findText(path) ?? "";
  const current = safeVirtiofsd(moveDirectory(replaceTexts(stored, "uuid", uuid), directory), files);
  if (current !== stored) files.writeAtomic(path, current, 0o600); // passwords of the console stand in it
  await hypervisor.snapshots.redefine(uuid, current, {}, lookTime(context)); // also when the start took all the time there was
}

function number(name: string): number {
  return Number(SNAPSHOT_FILE.exec(name)?.[1]);
}
