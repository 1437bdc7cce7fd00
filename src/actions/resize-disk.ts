import { ActionMessage } from "../codec/action-message.ts";
import { messageOf, OnevirtError } from "../core/errors.ts";
import type { Deadline } from "../core/deadline.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { Values } from "../domain/hotplug/values.ts";
import { type Look, settle } from "../vm/outcome.ts";
import type { ActionInput } from "./action.ts";
import { requireTarget } from "./attach-disk.ts";
import { getLiveDomain } from "./live-domain.ts";
import { judges } from "./look-time.ts";

const MIB = 1024 * 1024;
const TRIES = 3;
const PAUSE_MS = 5000;

/** What QEMU says while something else works on the image; libvirt has no number for it. */
const IN_USE = /is in use/;

/** Tells a running VM that its disk has grown (actions.md 7.18). The storage has done its part before. */
export async function run({ arguments: args, stdin }: ActionInput, context: Context): Promise<string> {
  const id = requireNumber(args["disk-id"] ?? "", "the number of the disk");
  const bytes = requireNumber(args.size ?? "", "the new size in MiB") * MIB;
  const message = await ActionMessage.read(stdin || (args["driver-message"] ?? ""));
  const disk = message.marked("VM/TEMPLATE/DISK", "DISK_ID", String(id));
  if (!disk) throw new OnevirtError("BAD_INPUT", `the driver message has no disk ${id}`);
  const target = requireTarget(new Values(disk).get("TARGET"));
  const domain = await getLiveDomain(args["deploy-id"] ?? "", context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "resize_disk", context.deadline);
  await settle({
    doing: `resize disk ${target} of "${domain.name}"`,
    repeatable: true,
    call: () => unlessInUse(() => context.hypervisor.devices.resizeDisk(domain.uuid, target, bytes, context.deadline), context),
    look: (deadline) => lookAtSize(domain, target, bytes, context, deadline),
  }, judges(context));
  return "";
}

/** The size that QEMU shows to the guest. */
async function lookAtSize({ uuid }: DomainStatus, target: string, bytes: number, { hypervisor }: Context, deadline: Deadline): Promise<Look> {
  const fields = (await hypervisor.stats(["disk"], [uuid], deadline))[0]?.fields ?? {};
  const prefix = Object.keys(fields).find((name) => /^block\.\d+\.name$/.test(name) && fields[name] === target)?.slice(0, -"name".length);
  const capacity = prefix && fields[`${prefix}capacity`];
  if (!capacity) return { now: "unknown", because: "the size that the guest sees is not known; resizing again does no harm" };
  return Number(capacity) === bytes ? { now: "done" } : { now: "not done", because: `the disk has ${capacity} bytes` };
}

async function unlessInUse(work: () => Promise<void>, { clock, log, deadline }: Context): Promise<void> {
  for (let left = TRIES; ; left--) {
    try {
      return await work();
    } catch (error) {
      if (left <= 1 || !IN_USE.test(messageOf(error)) || deadline.remainingMs() <= PAUSE_MS) throw error;
      log.log("INFO", `The disk is in use (${messageOf(error)}), trying again in ${PAUSE_MS / 1000} s`);
      await clock.sleep(PAUSE_MS);
    }
  }
}

function requireNumber(text: string, what: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new OnevirtError("BAD_ARGUMENT", `${JSON.stringify(text.slice(0, 40))} is not ${what}`);
}
