import { attributeLines } from "../codec/attribute-text.ts";
import { parseMeminfo } from "../codec/kernel-text.ts";
import type { Context } from "../core/ports.ts";
import { totalCpu } from "../monitor/host-cpu.ts";
import { cpuSpeed } from "./host-facts.ts";
import { usageOf } from "./host-usage.ts";
import type { ProbeRequest } from "./probe.ts";

/** What the host has and what of it is in use, for oned 5.x in one (monitoring.md 11.1). oned takes a number that is missing here for 0. */
export async function run(_request: ProbeRequest, context: Context): Promise<string> {
  const [speed, usage] = [await cpuSpeed(context), await usageOf(context)];
  return attributeLines({ HYPERVISOR: "kvm", TOTALCPU: totalCpu(context), CPUSPEED: speed, TOTALMEMORY: parseMeminfo(context.files.findText("/proc/meminfo") ?? "").MemTotal, ...usage });
}
