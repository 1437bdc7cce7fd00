import { findFirst, parseXml, textOf } from "../codec/xml.ts";
import { Deadline } from "../core/deadline.ts";
import { messageOf } from "../core/errors.ts";
import type { Context, Hypervisor } from "../core/ports.ts";
import type { JournalEntry, KeptSnapshot } from "../migration/journal.ts";

/** Finishing what has begun must not depend on what the migration has left of the action's time. */
const STEP_SECONDS = 60;

/** The system snapshots of a VM with everything that libvirt needs to know them again: it refuses to migrate a domain that has any. */
export async function readSnapshots(uuid: string, { hypervisor, deadline }: Context): Promise<Pick<JournalEntry, "snapshots" | "currentSnapshot">> {
  const names = await hypervisor.snapshots.names(uuid, deadline);
  if (names.length === 0) return { snapshots: [], currentSnapshot: undefined };
  const snapshots: KeptSnapshot[] = [];
  for (const name of names) snapshots.push({ name, xml: await hypervisor.snapshots.xml(uuid, name, { secure: true }, deadline) });
  return { snapshots: parentsFirst(snapshots), currentSnapshot: await hypervisor.snapshots.current(uuid, deadline) };
}

/** Lets libvirt forget them, children first. Their content stays in the images. */
export async function forgetSnapshots({ uuid, snapshots }: JournalEntry, { hypervisor, deadline }: Context): Promise<void> {
  for (const { name } of snapshots.toReversed()) await hypervisor.snapshots.delete(uuid, name, { metadataOnly: true }, deadline);
}

/** Tells libvirt of them again where the VM is now. One that is refused is told and left out; gives whether all are known. */
export async function tellSnapshots({ uuid, name: vm, snapshots, currentSnapshot }: JournalEntry, hypervisor: Hypervisor, { clock, log }: Context): Promise<boolean> {
  if (snapshots.length === 0) return true;
  const deadline = Deadline.after(STEP_SECONDS, clock);
  try {
    const known = new Set(await hypervisor.snapshots.names(uuid, deadline));
    let all = true;
    for (const { name, xml } of snapshots.filter((each) => !known.has(each.name)))
      all = (await attempt(`Snapshot "${name}" of "${vm}" was not redefined`, log, () => hypervisor.snapshots.redefine(uuid, xml, { current: name === currentSnapshot }, deadline))) && all;
    return all;
  } catch (error) {
    log.log("WARN", `The snapshots of "${vm}" were not redefined: ${messageOf(error)}`);
    return false;
  }
}

async function attempt(what: string, log: Context["log"], work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    log.log("WARN", `${what}: ${messageOf(error)}`);
    return false;
  }
}

/** A snapshot can be defined only when its parent is known. */
export function parentsFirst(snapshots: readonly KeptSnapshot[]): readonly KeptSnapshot[] {
  const left = new Map(snapshots.map((each) => [each.name, each]));
  const sorted: KeptSnapshot[] = [];
  const take = (each: KeptSnapshot): void => {
    left.delete(each.name);
    const parent = left.get(parentOf(each) ?? "");
    if (parent) take(parent);
    sorted.push(each);
  };
  for (const each of snapshots) if (left.has(each.name)) take(each);
  return sorted;
}

function parentOf({ name, xml }: KeptSnapshot): string | undefined {
  return textOf(findFirst(parseXml(xml, `snapshot "${name}"`), "parent", "name"))?.trim();
}
