import { OnevirtError } from "../core/errors.ts";
import type { DomainInput } from "./input.ts";
import { Lookup } from "./levels.ts";
import { INT53 } from "./numbers.ts";
import type { Count, Value } from "./source.ts";

/** How much memory the VM has, and how it may grow. */
export interface MemoryPlan {
  /** MiB */
  readonly memory: Count;
  /** MiB; only when it is more than the memory. */
  readonly max: Count | undefined;
  readonly mode: Value;
  /** Growing by plugging in modules; otherwise by ballooning. */
  readonly hotplug: boolean;
  readonly slots: Count;
}

/** Reads the memory attributes. Compat: the default mode is ballooning, although OpenNebula's manual says hotplug. */
export function planMemory(input: DomainInput, all: Lookup): MemoryPlan {
  const vm = new Lookup([input.levels.vm]);
  const memory = vm.integer("MEMORY", INT53);
  if (!/^\s*[+-]?\d+$/.test(vm.text("MEMORY").text))
    throw new OnevirtError("BAD_INPUT", `Cannot generate the domain of VM ${input.vm.id}: No MEMORY defined and no default provided.`);
  const max = vm.integer("MEMORY_MAX", INT53);
  const grows = /^\s*[+-]?\d+$/.test(vm.text("MEMORY_MAX").text) && memory.count < max.count;
  const mode = vm.text("MEMORY_RESIZE_MODE");
  return { memory, max: grows ? max : undefined, mode, hotplug: grows && mode.text === "HOTPLUG", slots: all.integer("MEMORY_SLOTS") };
}

/** KiB of so many MiB: in 64 bit, so that 2 TiB and more stay positive. */
export function kib(mebibytes: Count): string {
  return String(mebibytes.exact * 1024n);
}
