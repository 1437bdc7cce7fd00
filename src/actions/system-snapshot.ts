import { join } from "node:path";
import { readDomainDocument } from "../codec/domain-document.ts";
import { messageOf, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { lookTime } from "./look-time.ts";

/** Names that OpenNebula gives to system snapshots. */
export const SNAPSHOT_NAME = /^snap-\d{1,9}$/;

/** Passwords of the console stand in the documents of snapshots. */
const FILE_MODE = 0o600;

/** The directory of a VM as its metadata names it; undefined for a domain that is not OpenNebula's. */
export async function systemDatastoreOf({ uuid, name }: DomainStatus, { hypervisor, deadline }: Context): Promise<string | undefined> {
  return readDomainDocument(await hypervisor.domainXml(uuid, {}, deadline), `the document of "${name}"`).systemDatastore;
}

/** Where the document of a snapshot is kept, so that it is known again after the VM was off or has moved. */
export function snapshotFile(directory: string, name: string): string {
  return join(directory, `${name}.xml`);
}

/** Keeps the document of a snapshot beside the disks, with its passwords. A failure is told: the snapshot itself stands. */
export async function keepSnapshot(directory: string, { uuid }: DomainStatus, name: string, context: Context): Promise<void> {
  try {
    const xml = await context.hypervisor.snapshots.xml(uuid, name, { secure: true }, lookTime(context));
    context.files.writeAtomic(snapshotFile(directory, name), xml, FILE_MODE);
  } catch (error) {
    context.log.log("ERROR", `Snapshot ${name} stands, but libvirt will not know it after the VM was off: ${messageOf(error)}`);
  }
}

/** A name of a snapshot that oned may mean. An argument that moved up from an empty one would name a VM (actions.md 1.4). */
export function requireSnapshotName(name: string): string {
  if (SNAPSHOT_NAME.test(name)) return name;
  throw new OnevirtError("BAD_ARGUMENT", `${JSON.stringify(name.slice(0, 80))} is not the name of a system snapshot, as in snap-0`);
}
