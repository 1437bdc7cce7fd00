import { ActionMessage } from "../codec/action-message.ts";
import { type LiveDevices } from "../codec/live-devices.ts";
import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { settle } from "../vm/outcome.ts";
import type { ActionInput } from "./action.ts";
import { compactMemoryOnStart, compactMemoryOnStop } from "./compact-memory.ts";
import { devicesOf, getLiveDomain } from "./live-domain.ts";
import { judges, lookTime } from "./look-time.ts";

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
  const live = await devicesOf(domain, context, context.deadline);
  const sizes = readSizes(message, live);
  await compactMemoryOnStart(context);
  if (sizes.memory.to !== sizes.memory.from) await setMemory(domain, sizes.memory.from, sizes.memory.to, sizes.hotplug, live, context);
  if (sizes.vcpus.to !== sizes.vcpus.from) await setVcpus(domain, sizes, live, context);
  await compactMemoryOnStop(context);
  return "";
}

/** The old values stand in the message too; where they do not, what the domain has now counts. */
function readSizes(message: ActionMessage, live: LiveDevices): Sizes {
  const read = (name: string, now: number) => {
    const to = number(message.text(`VM/TEMPLATE/${name}`), `TEMPLATE/${name}`);
    return { from: number(message.text(`VM/TEMPLATE/RESIZE/${name}`), `TEMPLATE/RESIZE/${name}`) ?? now, to: to ?? now };
  };
  return {
    memory: read("MEMORY", Math.round(live.currentMemoryKiB / KIB)),
    vcpus: read("VCPU", live.currentVcpus),
    hotplug: message.text("VM/TEMPLATE/MEMORY_RESIZE_MODE").toUpperCase() === "HOTPLUG",
  };
}

function number(text: string, what: string): number | undefined {
  if (text === "") return undefined;
  if (/^[1-9]\d{0,11}$/.test(text)) return Number(text);
  throw new OnevirtError("BAD_INPUT", `${what} of the driver message is ${JSON.stringify(text.slice(0, 40))}, no whole number above 0`);
}

async function setMemory(domain: DomainStatus, from: number, to: number, hotplug: boolean, live: LiveDevices, context: Context): Promise<void> {
  const { devices } = context.hypervisor;
  const doing = `give "${domain.name}" ${to} MiB of memory`;
  const call = hotplug ? () => changeModules(domain, to - from, live, context) : () => devices.setMemory(domain.uuid, to * KIB, context.deadline);
  await settle({ doing, ...(hotplug ? {} : { repeatable: true as const }), call, look: async () => ({ now: "unknown", because: "the guest may still take it or give it back" }) }, judges(context));
}

/** Modules are whole: what was added as one module can only go as one. */
async function changeModules({ uuid }: DomainStatus, difference: number, { firstCell }: LiveDevices, context: Context): Promise<void> {
  const { devices } = context.hypervisor;
  const node = firstCell === undefined ? "" : `<node>${Number(firstCell)}</node>`;
  const xml = `<memory model='dimm'><target><size unit='MiB'>${Math.abs(difference)}</size>${node}</target></memory>`;
  await (difference > 0 ? devices.attach(uuid, xml, context.deadline) : devices.detach(uuid, xml, context.deadline));
}

async function setVcpus(domain: DomainStatus, sizes: Sizes, live: LiveDevices, context: Context): Promise<void> {
  const { vcpus, memory, hotplug } = sizes;
  try {
    await settle({
      doing: `give "${domain.name}" ${vcpus.to} processors`,
      repeatable: true,
      call: () => askForVcpus(domain, vcpus.to, context),
      look: async (deadline) => ((await devicesOf(domain, context, deadline)).currentVcpus === vcpus.to ? { now: "done" } : { now: "unknown", because: "it has another number of processors" }),
    }, judges(context));
  } catch (error) {
    if (memory.to !== memory.from) await takeBack(() => setMemory(domain, memory.to, memory.from, hotplug, live, context), context);
    throw new OnevirtError(error instanceof OnevirtError ? error.code : "LIBVIRT_FAILED", `Failed to resize VCPU to ${vcpus.to} on ${domain.name}: ${messageOf(error)}`, { cause: error });
  }
}

/** libvirt gives a guest seconds to give processors back, and then leaves it open: the document tells. */
async function askForVcpus(domain: DomainStatus, count: number, context: Context): Promise<void> {
  const { hypervisor, clock, deadline, settings } = context;
  try {
    return await hypervisor.devices.setVcpus(domain.uuid, count, { hotpluggable: true }, deadline);
  } catch (error) {
    if (!hasCode(error, "BUSY")) throw error;
  }
  const patience = deadline.within(settings.kvmrc.VIRSH_TIMEOUT);
  while ((await devicesOf(domain, context, lookTime(context))).currentVcpus !== count) {
    if (patience.expired) throw new OnevirtError("NOT_DONE", `the guest did not give processors back within ${settings.kvmrc.VIRSH_TIMEOUT} s; it may still do so`);
    await clock.sleep(Math.min(LOOK_AGAIN_MS, patience.remainingMs()));
  }
}

async function takeBack(work: () => Promise<void>, { log }: Context): Promise<void> {
  await work().catch((error: unknown) => log.log("ERROR", `The memory stays as it was set: ${messageOf(error)}`));
}
