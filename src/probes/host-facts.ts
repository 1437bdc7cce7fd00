import { attributeLines } from "../codec/attribute-text.ts";
import { parseMeminfo, parseMounts } from "../codec/kernel-text.ts";
import { messageOf } from "../core/errors.ts";
import type { Context, Files } from "../core/ports.ts";
import { totalCpu } from "../monitor/host-cpu.ts";
import type { ProbeRequest } from "./probe.ts";

/** What the host is made of (monitoring.md 6.3). A fact that nobody tells is left out. */
export async function run(_request: ProbeRequest, context: Context): Promise<string> {
  const { files } = context;
  return attributeLines({
    HYPERVISOR: "kvm",
    TOTALCPU: totalCpu(context),
    CPUSPEED: await cpuSpeed(context),
    TOTALMEMORY: parseMeminfo(files.findText("/proc/meminfo") ?? "").MemTotal,
    CGROUPS_VERSION: cgroupsVersion(files),
  });
}

/** Speed of the processors in MHz. `lscpu`, which upstream asks, does not tell any more since util-linux 2.37. */
export async function cpuSpeed({ hypervisor, files, deadline, log }: Context): Promise<number | undefined> {
  try {
    const mhz = await hypervisor.node.cpuMhz(deadline.within(5));
    if (mhz > 0) return mhz;
  } catch (error) {
    log.log("WARN", `libvirt does not tell the processors' speed: ${messageOf(error)}`);
  }
  return Math.round(Number(/^cpu MHz[ \t]*:[ \t]*(\d+(?:\.\d+)?)/m.exec(files.findText("/proc/cpuinfo") ?? "")?.[1] ?? 0)) || undefined;
}

/** oned scales shares by it: as soon as one v1 hierarchy is mounted, libvirt uses v1. */
function cgroupsVersion(files: Files): number | undefined {
  const types = new Set(parseMounts(files.findText("/proc/self/mounts") ?? "").map(({ type }) => type));
  return types.has("cgroup") ? 1 : types.has("cgroup2") ? 2 : undefined;
}
