import type { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { type Look, settle } from "../vm/outcome.ts";
import type { ActionInput } from "./action.ts";
import { afterBlockJobs } from "./block-job.ts";
import { judges, lookTime } from "./look-time.ts";
import { requireSnapshotName } from "./system-snapshot.ts";
import { isPaused, settledLife } from "./settled-life.ts";
import { getTarget } from "./target.ts";
import { OF_ROOT, safeVirtiofsd } from "./virtiofsd.ts";

/** virErrorNumber: the guest may not get on with the devices that it finds. */
const VIR_ERR_SNAPSHOT_REVERT_RISKY = 77;

/** Puts memory and disks back to a system snapshot (actions.md 7.16). */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  const name = requireSnapshotName(args["snapshot"] ?? "");
  const domain = await getTarget(args["deploy-id"] ?? "", context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "snapshot_revert", context.deadline);
  await makeSafe(domain, name, context);
  await settle({
    doing: `revert "${domain.name}" to snapshot ${name}`,
    call: () => afterBlockJobs(`snapshot of "${domain.name}"`, () => revert(domain.uuid, name, context), context),
    look: (deadline) => look(domain, name, context, deadline),
  }, judges(context));
  return "";
}

/** By force only where libvirt asks for it, as `virsh snapshot-revert --force` does. */
async function revert(uuid: string, name: string, { hypervisor: { snapshots }, deadline }: Context): Promise<void> {
  try {
    await snapshots.revert(uuid, name, {}, deadline);
  } catch (error) {
    if (!(error instanceof OnevirtError) || error.libvirt?.code !== VIR_ERR_SNAPSHOT_REVERT_RISKY) throw error;
    await snapshots.revert(uuid, name, { force: true }, deadline);
  }
}

/**
 * libvirt ends the QEMU of the VM and starts another, which has another number, and lets it run last of all (qemuSnapshotRevertActive of
 * qemu_snapshot.c): one that runs is back at its current snapshot. Older versions could go back inside the same QEMU: then nobody knows.
 */
async function look({ uuid, name, id }: DomainStatus, snapshot: string, context: Context, deadline: Deadline): Promise<Look> {
  const { because, status, atWork } = await settledLife({ uuid, name }, context, (verdict) => verdict.life === "gone" || isPaused(verdict), deadline);
  if (atWork) return { now: "unknown", because: "libvirt is still at work on it" };
  if (status?.state !== "running") return { now: "unknown", because };
  if (status.id === id) return { now: "unknown", because: `${because}, by the same process as before` };
  const current = await context.hypervisor.snapshots.current(uuid, lookTime(context));
  return current === snapshot ? { now: "done" } : { now: "unknown", because: `${because}, at the snapshot ${current}` };
}

/** libvirt starts QEMU and virtiofsd anew, as the snapshot says; one that was taken before root had its own script names the one of oneadmin (actions.md 17.1 row 10). */
async function makeSafe({ uuid }: DomainStatus, name: string, { hypervisor: { snapshots }, files, deadline }: Context): Promise<void> {
  if (files.kind(OF_ROOT) === undefined) return;
  const stored = await snapshots.xml(uuid, name, { secure: true }, deadline);
  const safe = safeVirtiofsd(stored, files);
  if (safe !== stored) await snapshots.redefine(uuid, safe, { current: (await snapshots.current(uuid, deadline)) === name }, deadline);
}
