import { cdataElement, type DomainNode, element, type Part, warning } from "../element.ts";
import type { Contributor, Facts } from "../facts.ts";
import { kib } from "../memory.ts";
import { wholeInteger } from "../numbers.ts";
import { derived, type Value } from "../source.ts";
import { cells, numatune } from "./numa-cells.ts";

/** `<cpu>` and `<numatune>`: model, topology and NUMA cells of the guest. */
export const cpu: Contributor = (facts) => {
  const { topology, memory } = facts;
  const model = cpuModel(facts);
  if (model.value.text === "" && !topology && !memory.hotplug) return [];
  const numa = cells(facts);
  const nodes = [...modelNodes(facts, model), ...hotplugCell(facts), ...topologyNode(facts), ...numa.nodes];
  const because = model.value.text !== "" ? [model.value] : topology ? [topology.presence] : [memory.max, memory.mode, memory.memory];
  return [element("cpu", model.attributes, nodes, { because, rule: "a CPU model, a topology or memory that is plugged in needs a cpu section" }), ...numatune(facts), ...model.warnings, ...numa.warnings, ...lateProcessors(facts)];
};

interface CpuModel {
  readonly value: Value;
  readonly attributes: Readonly<Record<string, Value>>;
  readonly custom: boolean;
  readonly warnings: readonly Part[];
}

/** Names that libvirt knows as modes, not as models. */
const MODES = ["host-passthrough", "host-model", "maximum"];

/** EVC_MODE of the cluster replaces any model, so that its hosts stay alike. */
function cpuModel({ all, clusterAndDefaults }: Facts): CpuModel {
  const evc = clusterAndDefaults.text("EVC_MODE");
  const value = evc.text === "" ? all.keyText("CPU_MODEL", "MODEL") : evc;
  if (value.text === "") return { value, attributes: {}, custom: false, warnings: [] };
  const custom = !MODES.includes(value.text);
  const warnings = !custom && value.text !== "host-passthrough" ? [warning(`CPU model "${value.text}" is written as a mode of libvirt; OpenNebula itself writes it as the name of a model, which cannot start.`)] : [];
  return { value, custom, attributes: { mode: derived(custom ? "custom" : value.text, value) }, warnings };
}

function modelNodes({ all }: Facts, { value, custom }: CpuModel): readonly DomainNode[] {
  if (value.text === "") return [];
  const features = all.keyText("CPU_MODEL", "FEATURES");
  return [
    ...(custom ? [cdataElement("model", value, { rule: "CPU_MODEL/MODEL, or EVC_MODE of the cluster" }, { fallback: "forbid" })] : []),
    ...words(features.text).map((name) => element("feature", { policy: "require", name: derived(name, features) }, undefined, { because: [features], rule: "each word of CPU_MODEL/FEATURES" })),
  ];
}

/** Compat: of each piece between commas only the first word counts. */
function words(list: string): readonly string[] {
  return list.split(",").flatMap((piece) => piece.trim().split(/\s+/)[0] || []);
}

/** Compat: memory that is plugged in needs a cell; it covers the present processors, not those of VCPU_MAX. */
function hotplugCell({ memory, numaNodes, vcpu }: Facts): readonly DomainNode[] {
  if (!memory.hotplug || numaNodes.length > 0) return [];
  const last = Math.max((wholeInteger(vcpu.text) ?? 1) - 1, 0);
  const attributes = { id: 0, cpus: derived(`0-${last}`, vcpu), memory: derived(kib(memory.memory), memory.memory), unit: "KiB" };
  return [element("numa", {}, [element("cell", attributes)], { because: [memory.max, memory.mode, memory.memory], rule: "memory that is plugged in needs a NUMA cell with all processors" })];
}

function lateProcessors({ memory, numaNodes, vcpu, vcpuMax }: Facts): readonly Part[] {
  const more = (wholeInteger(vcpuMax.text) ?? 0) > (wholeInteger(vcpu.text) ?? 0);
  return memory.hotplug && numaNodes.length === 0 && more ? [warning(`processors above VCPU ${vcpu.text} belong to no NUMA cell of the guest.`)] : [];
}

function topologyNode({ topology }: Facts): readonly DomainNode[] {
  if (!topology) return [];
  const number = (key: string) => {
    const value = topology.get(key);
    const count = wholeInteger(value.text);
    return count === undefined ? derived(1) : derived(count, value);
  };
  return [element("topology", { sockets: number("SOCKETS"), cores: number("CORES"), threads: number("THREADS") }, undefined, { because: [topology.presence], rule: "TOPOLOGY, each part 1 unless given" })];
}
