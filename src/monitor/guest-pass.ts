import { type GuestAgentSettings, readGuestAgentSettings } from "../codec/guest-commands.ts";
import type { Deadline } from "../core/deadline.ts";
import { messageOf } from "../core/errors.ts";
import type { Context, Hypervisor } from "../core/ports.ts";
import { gpuAttributes, gpuMetrics, hasNvidiaDevice, hasNvidiaGpu } from "./gpu-metrics.ts";
import { type Attributes, guestData } from "./guest-data.ts";
import type { VmNumbers } from "./vm-numbers.ts";

/** What all guests of a host together may take of one pass. */
const BUDGET_SECONDS = 10;

/** What guests tell, by UUID, within a budget of their own (monitoring.md 7.5, 7.6): GPUs first, as upstream has it. Nobody is asked while libvirt does not answer. */
export async function guestAttributes(vms: readonly VmNumbers[], context: Context): Promise<ReadonlyMap<string, Attributes>> {
  const managed = vms.filter((vm): vm is VmNumbers & { readonly id: number } => vm.id !== undefined && vm.state !== undefined);
  if (managed.length === 0) return new Map();
  const settings = readSettings(context);
  const gpus = await gpusOf(managed, context, context.deadline.within(BUDGET_SECONDS));
  const asked = managed.map(({ id, uuid, name, state }) => ({ id, uuid, name, running: state === "running" || state === "blocked" }));
  const told = await guestData(asked, settings, context, context.deadline.within(BUDGET_SECONDS));
  return new Map(managed.map(({ uuid }) => [uuid, [...(gpus.get(uuid) ?? []), ...(told.get(uuid) ?? [])]]));
}

/** A file that is missing or wrong asks nobody anything. */
function readSettings({ files, tree, log }: Context): GuestAgentSettings {
  const path = `${tree}/etc/im/kvm-probes.d/guestagent.conf`;
  try {
    const text = files.findText(path, 1024 * 1024);
    return text === undefined ? { enabled: false, questions: [] } : readGuestAgentSettings(text, path);
  } catch (error) {
    log.log("WARN", `Guests are not asked: ${messageOf(error)}`);
    return { enabled: false, questions: [] };
  }
}

async function gpusOf(vms: readonly VmNumbers[], context: Context, deadline: Deadline): Promise<ReadonlyMap<string, Attributes>> {
  const found = new Map<string, Attributes>();
  if (vms.length === 0 || !hasNvidiaDevice(context.files)) return found;
  for (const { uuid } of vms.filter(({ state }) => state === "running")) {
    if (deadline.expired) break;
    if (!(await mayHaveGpu(uuid, context.hypervisor, context, deadline))) continue;
    const metrics = await gpuMetrics(uuid, context, deadline);
    if (metrics) found.set(uuid, gpuAttributes(metrics));
  }
  return found;
}

async function mayHaveGpu(uuid: string, hypervisor: Hypervisor, { log }: Context, deadline: Deadline): Promise<boolean> {
  try {
    return await hasNvidiaGpu(uuid, hypervisor, deadline);
  } catch (error) {
    log.log("WARN", `The GPUs of ${uuid} are left out: ${messageOf(error)}`);
    return false;
  }
}
