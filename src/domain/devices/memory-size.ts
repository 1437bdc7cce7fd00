import { type Part, textElement, warning } from "../element.ts";
import type { Contributor } from "../facts.ts";
import { kib } from "../memory.ts";
import { derived, type Value } from "../source.ts";

/** `<memory>`, and what it may grow to. Without a unit libvirt counts in KiB. */
export const memorySize: Contributor = ({ memory: { memory, max, mode, hotplug, slots }, topology }) => {
  const now = derived(kib(memory), memory);
  if (!max) return [textElement("memory", now, { rule: "MEMORY in KiB" })];
  const most = derived(kib(max), max);
  if (!hotplug) return ballooning(now, most, mode);
  const parts: Part[] = [textElement("memory", now, { because: [mode], rule: "MEMORY in KiB; more is plugged in later" })];
  if (topology) return [...parts, warning("MEMORY_RESIZE_MODE HOTPLUG has no effect on a VM with TOPOLOGY: its memory cannot grow.")];
  return [...parts, textElement("maxMemory", most, { because: [mode, memory], rule: "HOTPLUG: room for modules up to MEMORY_MAX" }, { slots: derived(slots.count, slots) })];
};

function ballooning(now: Value, most: Value, mode: Value): readonly Part[] {
  return [
    textElement("memory", most, { because: [mode, now], rule: "ballooning: the domain is as large as MEMORY_MAX" }),
    textElement("currentMemory", now, { because: [most, mode], rule: "ballooning: it starts with MEMORY" }),
  ];
}
