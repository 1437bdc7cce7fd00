import type { Context, DomainStatus } from "../core/ports.ts";
import { settle } from "../vm/outcome.ts";
import type { ActionInput } from "./action.ts";
import { afterBlockJobs } from "./block-job.ts";
import { judges } from "./look-time.ts";
import { requireSnapshotName } from "./system-snapshot.ts";
import { getTarget } from "./target.ts";
import { OF_ROOT, safeVirtiofsd } from "./virtiofsd.ts";

/** Puts memory and disks back to a system snapshot (actions.md 7.16); `force` because the devices may be others now. */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  const name = requireSnapshotName(args["snapshot"] ?? "");
  const domain = await getTarget(args["deploy-id"] ?? "", context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "snapshot_revert", context.deadline);
  const { snapshots } = context.hypervisor;
  await makeSafe(domain, name, context);
  await settle({
    doing: `revert "${domain.name}" to snapshot ${name}`,
    call: () => afterBlockJobs(`snapshot of "${domain.name}"`, () => snapshots.revert(domain.uuid, name, { force: true }, context.deadline), context),
    look: async () => ({ now: "unknown", because: "libvirt does not tell whether a guest went back" }),
  }, judges(context));
  return "";
}

/** libvirt starts QEMU and virtiofsd anew, as the snapshot says; one that was taken before root had its own script names the one of oneadmin (actions.md 17.1 row 10). */
async function makeSafe({ uuid }: DomainStatus, name: string, { hypervisor: { snapshots }, files, deadline }: Context): Promise<void> {
  if (files.kind(OF_ROOT) === undefined) return;
  const stored = await snapshots.xml(uuid, name, { secure: true }, deadline);
  const safe = safeVirtiofsd(stored, files);
  if (safe !== stored) await snapshots.redefine(uuid, safe, { current: (await snapshots.current(uuid, deadline)) === name }, deadline);
}
