import { hasCode, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { type Look, settle } from "../vm/outcome.ts";
import type { ActionInput } from "./action.ts";
import { afterBlockJobs } from "./block-job.ts";
import { jobHasEnded } from "./libvirt-work.ts";
import { judges, lookTime } from "./look-time.ts";
import { keepSnapshot, requireSnapshotName, SNAPSHOT_NAME, snapshotFile, systemDatastoreOf } from "./system-snapshot.ts";
import { getTarget } from "./target.ts";

/** Deletes a system snapshot, and writes the documents of the others again, because their parents have changed (actions.md 7.15). */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  const name = requireSnapshotName(args["snapshot"] ?? "");
  const domain = await getTarget(args["deploy-id"] ?? "", context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "snapshot_delete", context.deadline);
  const directory = await systemDatastoreOf(domain, context);
  if (!directory) throw new OnevirtError("BAD_INPUT", `Cannot read 'system_datastore' from domain ${domain.name}`);
  const file = snapshotFile(directory, name);
  await remove(domain, name, { isKept: context.files.kind(file) !== undefined }, context);
  context.files.remove(file); // only now: while it stands, the snapshot can be made known again
  for (const other of await context.hypervisor.snapshots.names(domain.uuid, context.deadline)) if (SNAPSHOT_NAME.test(other)) await keepSnapshot(directory, domain, other, context);
  return "";
}

/** A snapshot that is neither known nor kept was deleted before, and only the answer was lost. */
async function remove({ uuid, name: domain }: DomainStatus, name: string, { isKept }: { readonly isKept: boolean }, context: Context): Promise<void> {
  const { snapshots } = context.hypervisor;
  try {
    await settle({
      doing: `delete snapshot ${name} of "${domain}"`,
      repeatable: true,
      call: () => afterBlockJobs(`snapshot of "${domain}"`, () => snapshots.delete(uuid, name, {}, context.deadline), context),
      look: () => lookForSnapshot(uuid, name, context),
    }, judges(context));
  } catch (error) {
    if (!hasCode(error, "SNAPSHOT_NOT_FOUND") || isKept) throw error;
    context.log.log("INFO", `Snapshot ${name} of "${domain}" was deleted before`);
  }
}

async function lookForSnapshot(uuid: string, name: string, context: Context): Promise<Look> {
  if (!(await jobHasEnded(uuid, context))) return { now: "unknown", because: "libvirt is still at work on the VM" };
  return (await context.hypervisor.snapshots.names(uuid, lookTime(context))).includes(name) ? { now: "not done", because: "libvirt still knows it" } : { now: "done" };
}
