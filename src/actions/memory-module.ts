import type { LiveDevices } from "../codec/live-devices.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { attachDevice } from "./attach-device.ts";
import { detachDevice } from "./detach-device.ts";

const KIB_PER_MIB = 1024;

/** Adds a module of memory, to the first NUMA cell where there are cells (actions.md 7.17). `mib` is a whole number above 0. */
export async function addMemoryModule(domain: DomainStatus, mib: number, before: LiveDevices, context: Context): Promise<void> {
  const node = before.firstCell === undefined ? "" : `<node>${Number(before.firstCell)}</node>`;
  const xml = `<memory model='dimm'><target><size unit='MiB'>${mib}</size>${node}</target></memory>`;
  const isThere = ({ memoryModules }: LiveDevices) => memoryModules.length > before.memoryModules.length;
  await attachDevice({ domain, before, what: `a module of ${mib} MiB`, xml, isThere }, context);
}

/** Takes a module back. Modules are whole: one of this size must have been added before, and the guest must have emptied it. */
export async function takeMemoryModule(domain: DomainStatus, mib: number, before: LiveDevices, context: Context): Promise<void> {
  const ofSize = ({ memoryModules }: LiveDevices) => memoryModules.findLast(({ model, sizeKiB }) => model === "dimm" && sizeKiB === mib * KIB_PER_MIB);
  if (!ofSize(before)) throw noneOfSize(domain, mib, before);
  await detachDevice({ domain, what: `the memory module of ${mib} MiB`, find: ofSize }, context);
}

function noneOfSize({ name }: DomainStatus, mib: number, { memoryModules }: LiveDevices): OnevirtError {
  const sizes = memoryModules.filter(({ model }) => model === "dimm").map(({ sizeKiB }) => sizeKiB / KIB_PER_MIB);
  const has = sizes.length === 0 ? "no modules" : `modules of ${sizes.join(", ")} MiB`;
  return new OnevirtError("INVALID_STATE", `"${name}" has no memory module of ${mib} MiB to give back, it has ${has}`, {
    hint: "memory that was added with MEMORY_RESIZE_MODE=HOTPLUG goes back in the same steps",
  });
}
