import { type DomainNode, element, type Part, textElement, warning } from "../element.ts";
import { cannot, type Contributor, type Facts } from "../facts.ts";
import type { VectorView } from "../levels.ts";
import type { NumaNode } from "../numa.ts";
import { readFloat, wholeInteger } from "../numbers.ts";
import { derived, NOTHING, type Sourced, type Value } from "../source.ts";

/** `<cputune>`: the VM's share of the processors, and which of them it may use. */
export const cputune: Contributor = (facts) => {
  const { value, warnings } = shares(facts);
  const rule = "cputune always holds the shares";
  return [element("cputune", {}, [textElement("shares", value, { rule: SHARES }), ...pinning(facts)], { rule }), ...warnings];
};

const SHARES = "shares are CPU × 1024 rounded up, or CPU × 100 where the host has cgroups version 2";

/** Weight of one CPU, and the limits of the weight, in both versions of cgroups. */
const WEIGHTS = { v1: { base: 1024, min: 1, max: 262_144 }, v2: { base: 100, min: 1, max: 10_000 } } as const;

/** Weight of so many CPUs. Compat: oned multiplies in single precision; in double precision CPU 0.1 would be 11 on cgroups version 2. */
export function sharesOf(cpu: number, cgroups: 1 | 2): number {
  const { base, min, max } = cgroups === 2 ? WEIGHTS.v2 : WEIGHTS.v1;
  return Math.min(Math.max(Math.ceil(Math.fround(base * Math.fround(cpu))), min), max);
}

function shares({ input, vm, inherited }: Facts): { readonly value: Value; readonly warnings: readonly Part[] } {
  const cpu = vm.find("CPU");
  const version = input.cgroups ?? versionOf(inherited.integer("CGROUPS_VERSION"));
  const isV2 = version.text === "2";
  const value = derived(sharesOf(readFloat(cpu?.text ?? "") ?? 0, isV2 ? 2 : 1), cpu, version);
  const cpuWarning = readFloat(cpu?.text ?? "") === undefined ? [warning(`CPU "${cpu?.text ?? ""}" is not a number: the VM gets the smallest share.`)] : [];
  const lowWarning = isV2 && value.text === "1" ? [warning("libvirt refuses cgroups weight 1: CPU is too small for a host with cgroups version 2.")] : [];
  return { value, warnings: [...cpuWarning, ...lowWarning] };
}

function versionOf(version: Sourced & { readonly count: number }): Value {
  return { text: String(version.count), sources: version.sources };
}

/** Keys of TOPOLOGY that bind a VM to nodes of the host. */
const BINDING = ["PIN_POLICY", "NODE_AFFINITY", "HUGEPAGE_SIZE"] as const;

function pinning(facts: Facts): readonly DomainNode[] {
  const emulatorCpus = facts.inherited.text("EMULATOR_CPUS");
  if (!facts.topology || !usesHostNodes(facts.topology))
    return emulatorCpus.text === "" ? [] : [emulatorPin(emulatorCpus)];
  const pinned = facts.numaNodes.filter((node) => node.totalCpus.count > 0 && node.cpus.text !== "");
  let vcpu = 0;
  const why = BINDING.map((key) => facts.topology?.get(key));
  const pins = pinned.flatMap((node) => Array.from({ length: node.totalCpus.count }, (_, index) => vcpuPin(facts, node, why, index, vcpu++)));
  const everyone = derived(pinned.map(({ cpus }) => cpus.text).join(","), ...pinned.flatMap(({ cpus, totalCpus }) => [cpus, totalCpus]), ...why);
  const emulator = emulatorCpus.text === "" ? everyone : emulatorCpus;
  return [...pins, ...(emulator.text === "" ? [] : [emulatorPin(emulator)])];
}

/** Whether the VM is bound to nodes of the host: pinned, with an affinity, or with huge pages. */
function usesHostNodes(topology: VectorView): boolean {
  const policy = topology.get("PIN_POLICY").text.toUpperCase();
  const affinity = wholeInteger(topology.get("NODE_AFFINITY").text) ?? -1;
  const hugePages = wholeInteger(topology.get("HUGEPAGE_SIZE").text) ?? 0;
  return ["CORE", "THREAD", "SHARED"].includes(policy) || affinity !== -1 || hugePages > 0;
}

function emulatorPin(cpuset: Value): DomainNode {
  return element("emulatorpin", { cpuset }, undefined, { because: [cpuset], rule: "QEMU's own threads run on EMULATOR_CPUS, or where the processors run" });
}

function vcpuPin(facts: Facts, node: NumaNode, why: readonly (Value | undefined)[], index: number, vcpu: number): DomainNode {
  const because = [...node.before, node.totalCpus, node.cpus, ...why];
  return element("vcpupin", { vcpu: derived(vcpu, ...node.before, node.totalCpus), cpuset: cpuset(facts, node, why[0] ?? NOTHING, index) }, undefined, { because, rule: "CORE and THREAD bind each processor to its own of CPUS, other policies to all of CPUS" });
}

function cpuset(facts: Facts, { cpus, cell }: NumaNode, policy: Value, index: number): Value {
  if (!["CORE", "THREAD"].includes(policy.text.toUpperCase())) return cpus;
  const own = cpus.text.split(",").filter((each) => each !== "")[index];
  if (own === undefined) throw cannot(facts.input, `NUMA_NODE ${cell} has fewer CPUS than TOTAL_CPUS`);
  return derived(own, cpus, policy);
}
