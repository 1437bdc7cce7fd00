import type { Context } from "../core/ports.ts";
import { settle } from "../vm/outcome.ts";
import type { ActionInput } from "./action.ts";
import { afterBlockJobs } from "./block-job.ts";
import { judges } from "./look-time.ts";
import { requireSnapshotName } from "./system-snapshot.ts";
import { getTarget } from "./target.ts";

/** Puts memory and disks back to a system snapshot (actions.md 7.16); `force` because the devices may be others now. */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  const name = requireSnapshotName(args["snapshot"] ?? "");
  const domain = await getTarget(args["deploy-id"] ?? "", context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "snapshot_revert", context.deadline);
  const { snapshots } = context.hypervisor;
  await settle({
    doing: `revert "${domain.name}" to snapshot ${name}`,
    call: () => afterBlockJobs(`snapshot of "${domain.name}"`, () => snapshots.revert(domain.uuid, name, { force: true }, context.deadline), context),
    look: async () => ({ now: "unknown", because: "libvirt does not tell whether a guest went back" }),
  }, judges(context));
  return "";
}
