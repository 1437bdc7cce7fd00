import { ActionMessage } from "../codec/action-message.ts";
import type { LiveDevices } from "../codec/live-devices.ts";
import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { settle } from "../vm/outcome.ts";
import type { ActionInput } from "./action.ts";
import { compactMemoryOnStart, compactMemoryOnStop } from "./compact-memory.ts";
import { devicesOf, getLiveDomain } from "./live-domain.ts";
import { judges, lookTime } from "./look-time.ts";
import { addMemoryModule, takeMemoryModule } from "./memory-module.ts";

const KIB = 1024;
const LOOK_AGAIN_MS = 500;

/** What a VM is to have, and what it had; memory in MiB. */
interface Sizes {
  readonly memory: { readonly from: number; readonly to: number };
  readonly vcpus: { readonly from: number; readonly to: number };
  /** Memory modules instead of the balloon. */
  readonly hotplug: boolean;
}

/** Gives a running VM more or less memory and processors (actions.md 7.17): memory first; it goes back when the processors are refused. */
export async function run({ arguments: args, stdin }: ActionInput, context: Context): Promise<string> {
  const message = await ActionMessage.read(stdin);
  const domain = await getLiveDomain(args["deploy-id"] ?? "", context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "resize", context.deadline);
  const live = tellsAll(message) ? undefined : await devicesOf(domain, context, context.deadline);
  const sizes = readSizes(message, live);
  await compactMemoryOnStart(context);
  await setMemory(domain, sizes, live, context);
  if (sizes.vcpus.to !== sizes.vcpus.from) await setVcpus(domain, sizes, context);
  await compactMemoryOnStop(context);
  return "";
}

/** The balloon and the processors need nothing of the domain's document when the message has old and new values. */
function tellsAll(message: ActionMessage): boolean {
  return !isHotplug(message) && ["MEMORY", "VCPU", "RESIZE/MEMORY", "RESIZE/VCPU"].every((name) => message.text(`VM/TEMPLATE/${name}`) !== "");
}

function isHotplug(message: ActionMessage): boolean {
  return message.text("VM/TEMPLATE/MEMORY_RESIZE_MODE").toUpperCase() === "HOTPLUG";
}

/** The old values stand in the message too; where they do not, what the domain has now counts. */
function readSizes(message: ActionMessage, live: LiveDevices | undefined): Sizes {
  const read = (name: string, now = Number.NaN) => {
    const to = number(message.text(`VM/TEMPLATE/${name}`), `TEMPLATE/${name}`);
    return { from: number(message.text(`VM/TEMPLATE/RESIZE/${name}`), `TEMPLATE/RESIZE/${name}`) ?? now, to: to ?? now };
  };
  return {
    memory: read("MEMORY", live && Math.round(live.currentMemoryKiB / KIB)),
    vcpus: read("VCPU", live?.currentVcpus),
    hotplug: isHotplug(message),
  };
}

function number(text: string, what: string): number | undefined {
  if (text === "") return undefined;
  if (/^[1-9]\d{0,11}$/.test(text)) return Number(text);
  throw new OnevirtError("BAD_INPUT", `${what} of the driver message is ${JSON.stringify(text.slice(0, 40))}, no whole number above 0`);
}

async function setMemory(domain: DomainStatus, { memory, hotplug }: Sizes, live: LiveDevices | undefined, context: Context): Promise<void> {
  const difference = memory.to - memory.from;
  if (difference === 0) return;
  if (!hotplug || live === undefined) return setBalloon(domain, memory.to, context);
  await (difference > 0 ? addMemoryModule(domain, difference, live, context) : takeMemoryModule(domain, -difference, live, context));
}

async function setBalloon(domain: DomainStatus, mib: number, context: Context): Promise<void> {
  await settle({
    doing: `give "${domain.name}" ${mib} MiB of memory`,
    repeatable: true,
    call: () => context.hypervisor.devices.setMemory(domain.uuid, mib * KIB, context.deadline),
    look: async () => ({ now: "unknown", because: "the guest may still take it or give it back" }),
  }, judges(context));
}

async function setVcpus(domain: DomainStatus, sizes: Sizes, context: Context): Promise<void> {
  const { to } = sizes.vcpus;
  try {
    await settle({
      doing: `give "${domain.name}" ${to} processors`,
      repeatable: true,
      call: () => askForVcpus(domain, sizes.vcpus, context),
      look: async (deadline) => ((await devicesOf(domain, context, deadline)).currentVcpus === to ? { now: "done" } : { now: "unknown", because: "it has another number of processors" }),
    }, judges(context));
  } catch (error) {
    await takeBackMemory(domain, sizes, { ...context, deadline: lookTime(context) });
    throw new OnevirtError(error instanceof OnevirtError ? error.code : "LIBVIRT_FAILED", `Failed to resize VCPU to ${to} on ${domain.name}: ${messageOf(error)}`, { cause: error });
  }
}

/** libvirt gives a guest seconds to give processors back, and then leaves it open: the document tells. */
async function askForVcpus(domain: DomainStatus, { from, to }: Sizes["vcpus"], context: Context): Promise<void> {
  const { hypervisor, clock, deadline, settings } = context;
  try {
    return await hypervisor.devices.setVcpus(domain.uuid, to, { hotpluggable: true }, deadline);
  } catch (error) {
    if (to > from || !hasCode(error, "BUSY")) throw error;
  }
  const patience = deadline.within(settings.kvmrc.VIRSH_TIMEOUT);
  while ((await devicesOf(domain, context, lookTime(context))).currentVcpus !== to) {
    if (patience.expired) throw new OnevirtError("NOT_DONE", `the guest was not seen to give processors back within ${settings.kvmrc.VIRSH_TIMEOUT} s; it may still do so`);
    await clock.sleep(Math.min(LOOK_AGAIN_MS, patience.remainingMs()));
  }
}

/** oned believes in both or none. */
async function takeBackMemory(domain: DomainStatus, { memory, ...sizes }: Sizes, context: Context): Promise<void> {
  try {
    await setMemory(domain, { ...sizes, memory: { from: memory.to, to: memory.from } }, await devicesOf(domain, context, context.deadline), context);
  } catch (error) {
    context.log.log("ERROR", `The memory stays as it was set: ${messageOf(error)}`);
  }
}
