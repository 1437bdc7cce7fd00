import { attributeLines } from "../codec/attribute-text.ts";
import { parseMeminfo } from "../codec/kernel-text.ts";
import type { Context } from "../core/ports.ts";
import { idleShare, totalCpu } from "../monitor/host-cpu.ts";
import { cardTraffic } from "../monitor/host-network.ts";
import { keepSeries, readSeriesSettings } from "../monitor/series.ts";
import type { ProbeRequest } from "./probe.ts";

/** Processor, memory and network of the host (monitoring.md 6.2), in whole numbers: oned drops others. What is not known is left out. */
export async function run({ hostId }: ProbeRequest, context: Context): Promise<string> {
  const numbers = await usageOf(context);
  keepSeries({ kind: "host", id: hostId }, numbers, [], readSeriesSettings("host", context), context);
  return attributeLines({ HYPERVISOR: "kvm", ...numbers });
}

/** What of the host is in use, by oned's names. */
export async function usageOf(context: Context): Promise<Readonly<Record<string, number | bigint | undefined>>> {
  const traffic = cardTraffic(context.files);
  return { ...memoryOf(context.files.findText("/proc/meminfo") ?? ""), ...(await cpuOf(context)), NETRX: traffic?.rxBytes, NETTX: traffic?.txBytes };
}

/** KiB. The kernel's own estimate of what is available: page cache that cannot be dropped, tmpfs above all, is not free. */
function memoryOf(text: string): { readonly USEDMEMORY?: number; readonly FREEMEMORY?: number } {
  const { MemTotal, MemFree, Buffers = 0, Cached = 0, Shmem = 0, ...rest } = parseMeminfo(text);
  const available = rest.MemAvailable ?? (MemFree === undefined ? undefined : MemFree + Math.max(0, Buffers + Cached - Shmem));
  if (MemTotal === undefined || available === undefined) return {};
  const free = Math.min(MemTotal, available);
  return { USEDMEMORY: MemTotal - free, FREEMEMORY: free };
}

/** Percent of one processor. */
async function cpuOf(context: Context): Promise<{ readonly FREECPU?: number; readonly USEDCPU?: number }> {
  const idle = await idleShare(context);
  if (idle === undefined) return {};
  const total = totalCpu(context);
  const free = Math.floor(total * idle);
  return { FREECPU: free, USEDCPU: total - free };
}
