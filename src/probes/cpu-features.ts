import { attributeLines, quoted } from "../codec/attribute-text.ts";
import { readCpuFeatures } from "../codec/host-capabilities.ts";
import type { Context } from "../core/ports.ts";
import type { ProbeRequest } from "./probe.ts";

/** Features of the host's processor by libvirt's names: the scheduler matches VMs that need some of them (monitoring.md 6.3). */
export async function run(_request: ProbeRequest, { hypervisor, deadline }: Context): Promise<string> {
  const cpu = await hypervisor.node.baselineCpu(await hypervisor.node.capabilities(deadline), deadline);
  return attributeLines({ KVM_CPU_FEATURES: quoted(readCpuFeatures(cpu).join(",")) });
}
