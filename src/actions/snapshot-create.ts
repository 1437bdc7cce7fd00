import { OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { type Look, settle } from "../vm/outcome.ts";
import { afterBlockJobs } from "./block-job.ts";
import type { ActionInput } from "./action.ts";
import { jobHasEnded } from "./libvirt-work.ts";
import { judges, lookTime } from "./look-time.ts";
import { keepSnapshot, systemDatastoreOf } from "./system-snapshot.ts";
import { getTarget } from "./target.ts";

/** Takes a checkpoint of memory and all disks (actions.md 7.14). The VM is paused meanwhile: nothing needs to be frozen. */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  const name = `snap-${requireNumber(args["snapshot-id"] ?? "")}`;
  const domain = await getTarget(args["deploy-id"] ?? "", context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "snapshot_create", context.deadline);
  const directory = await systemDatastoreOf(domain, context);
  await create(domain, name, context);
  if (directory) await keepSnapshot(directory, domain, name, context);
  else context.log.log("WARN", `"${domain.name}" has no system_datastore in its metadata: libvirt will not know the snapshot after the VM was off`);
  return name;
}

async function create({ uuid, name: domain }: DomainStatus, name: string, context: Context): Promise<void> {
  const { snapshots } = context.hypervisor;
  if ((await snapshots.names(uuid, context.deadline)).includes(name)) throw new OnevirtError("INVALID_STATE", `"${domain}" has a snapshot ${name} already`, { hint: "delete it first" });
  const xml = `<domainsnapshot><name>${name}</name></domainsnapshot>`; // snap- and digits
  await settle({
    doing: `take snapshot ${name} of "${domain}"`,
    call: () => afterBlockJobs(`snapshot of "${domain}"`, () => snapshots.create(uuid, xml, context.deadline), context),
    look: () => lookForSnapshot(uuid, name, context),
  }, judges(context));
}

/** libvirt names a snapshot from the moment on that it begins to take it (qemuSnapshotCreate of qemu_snapshot.c): it stands when no job is left. */
async function lookForSnapshot(uuid: string, name: string, context: Context): Promise<Look> {
  if (!(await jobHasEnded(uuid, context))) return { now: "unknown", because: "it is still being taken" };
  return (await context.hypervisor.snapshots.names(uuid, lookTime(context))).includes(name) ? { now: "done" } : { now: "unknown", because: "libvirt does not know the snapshot yet" };
}

function requireNumber(id: string): string {
  if (/^\d{1,9}$/.test(id)) return id;
  throw new OnevirtError("BAD_ARGUMENT", `${JSON.stringify(id.slice(0, 80))} is not the number of a snapshot`);
}
