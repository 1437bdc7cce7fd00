import type { Context } from "../core/ports.ts";
import type { ActionInput } from "./action.ts";
import { requireTarget } from "./attach-disk.ts";
import { detachDevice } from "./detach-device.ts";
import { getLiveDomain } from "./live-domain.ts";

/** Takes a disk from a running VM (actions.md 7.9). OpenNebula deletes its data on our word. */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  const target = requireTarget(args.target ?? "");
  const domain = await getLiveDomain(args["deploy-id"] ?? "", context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "detach_disk", context.deadline);
  await detachDevice({ domain, what: `disk ${target}`, find: ({ disks }) => disks.find((each) => each.target === target) }, context);
  return "";
}
