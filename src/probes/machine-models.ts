import { attributeLines, quoted } from "../codec/attribute-text.ts";
import { readCapabilities, readCpuModels } from "../codec/host-capabilities.ts";
import { messageOf } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import type { ProbeRequest } from "./probe.ts";

/** Guests that OpenNebula offers, in upstream's order. */
const ARCHITECTURES = ["i686", "x86_64", "aarch64"];

/** Machines and CPU models that guests can be given (monitoring.md 6.3). Models of all architectures count, not only of the last one. */
export async function run(_request: ProbeRequest, { hypervisor, deadline, log }: Context): Promise<string> {
  const { cpuModel, guests } = readCapabilities(await hypervisor.node.capabilities(deadline));
  const offered = ARCHITECTURES.flatMap((arch) => guests.find((guest) => guest.arch === arch) ?? []);
  const models: string[] = [];
  let isKnown = offered.length === 0;
  for (const { arch } of offered) {
    try {
      models.push(...readCpuModels(await hypervisor.node.domainCapabilities(arch, undefined, undefined, deadline)));
      isKnown = true;
    } catch (error) {
      log.log("WARN", `CPU models of ${arch} are left out: ${messageOf(error)}`);
    }
  }
  return attributeLines({
    KVM_MACHINES: quoted(distinct(offered.flatMap(({ machines }) => machines))),
    KVM_CPU_MODELS: isKnown ? quoted(distinct(models)) : undefined,
    KVM_CPU_MODEL: cpuModel === undefined ? undefined : quoted(cpuModel),
  });
}

function distinct(names: readonly string[]): string {
  return [...new Set(names)].join(" ");
}
