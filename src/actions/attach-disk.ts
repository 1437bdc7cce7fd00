import { ActionMessage } from "../codec/action-message.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import { diskXml } from "../domain/hotplug/disk.ts";
import { Values } from "../domain/hotplug/values.ts";
import type { ActionInput } from "./action.ts";
import { attachDevice } from "./attach-device.ts";
import { resolveLink } from "./disk-links.ts";
import { checkHostPath } from "./host-path.ts";
import { devicesOf, getLiveDomain } from "./live-domain.ts";

/** Names of disks in a guest: the prefix says the bus, the letters the place. */
const TARGET = /^(vd|sd|hd|xvd|fd)[a-z]{1,3}$/;

/** Attaches a disk to a running VM (actions.md 7.8). */
export async function run({ arguments: args, stdin }: ActionInput, context: Context): Promise<string> {
  const path = checkHostPath(args["disk-path"] ?? "", "the path of the disk");
  const target = requireTarget(args.target ?? "");
  const message = await ActionMessage.read(stdin || (args["driver-message"] ?? "")); // the argument holds the same, but has a limit
  const disk = message.marked("VM/TEMPLATE/DISK", "ATTACH");
  if (!disk) throw new OnevirtError("BAD_INPUT", "the driver message has no disk with ATTACH=YES");
  const domain = await getLiveDomain(args["deploy-id"] ?? "", context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "attach_disk", context.deadline);
  const before = await devicesOf(domain, context, context.deadline);
  const xml = diskXml({
    values: new Values(disk), path, file: resolveLink(path, context.files), target, vmid: message.text("VM/ID"), ioThreads: before.ioThreads,
    vcpu: message.text("VM/TEMPLATE/VCPU"), queues: message.text("VM/TEMPLATE/FEATURES/VIRTIO_BLK_QUEUES"), kvmrc: context.settings.kvmrc,
  });
  await attachDevice({ domain, before, what: `disk ${target}`, xml, isThere: ({ disks }) => disks.some((each) => each.target === target) }, context);
  return "";
}

/** The target of a disk as oned names it. BAD_ARGUMENT otherwise. */
export function requireTarget(target: string): string {
  if (TARGET.test(target)) return target;
  throw new OnevirtError("BAD_ARGUMENT", `${JSON.stringify(target.slice(0, 40))} is not the target of a disk, as in vdb`);
}
