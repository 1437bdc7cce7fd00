import { OnevirtError } from "../core/errors.ts";
import type { Part } from "./element.ts";
import { type DomainInput, lookups, ofDocument } from "./input.ts";
import { type MemoryPlan, planMemory } from "./memory.ts";
import { type NumaNode, numaNodes } from "./numa.ts";
import { asFlag, type Level, type Lookup, type VectorView } from "./levels.ts";
import { type Count, type Flag, orElse, sourcesOf, type Value } from "./source.ts";

/** What several contributors need to know, worked out once. */
export interface Facts {
  readonly input: DomainInput;
  readonly vm: Level;
  /** VM, host, cluster, defaults. */
  readonly all: Lookup;
  /** Host, cluster, defaults: what a VM cannot set. */
  readonly inherited: Lookup;
  readonly clusterAndDefaults: Lookup;
  readonly defaultsOnly: Lookup;
  readonly id: Value;
  readonly name: Value;
  readonly systemDirectory: Value;
  readonly vcpu: Value;
  readonly vcpuMax: Value;
  readonly arch: Value;
  readonly machine: Value;
  /** Whether the machine has PCI Express: its name contains q35 or virt. */
  readonly q35like: boolean;
  readonly sdDiskBus: Value;
  readonly firmware: Firmware;
  readonly firmwareSecure: Flag;
  readonly ioThreads: Count;
  readonly memory: MemoryPlan;
  readonly topology: VectorView | undefined;
  readonly numaNodes: readonly NumaNode[];
}

/** How the VM boots: BIOS, a firmware that libvirt chooses, or the firmware image at a path. */
export interface Firmware {
  readonly kind: "bios" | "auto" | "path";
  readonly value: Value;
}

/** A device or section of the document: a pure function from the facts to its own elements. */
export type Contributor = (facts: Facts) => readonly Part[];

/** A plan that several contributors need: worked out once for each set of facts. */
export function oncePerFacts<Plan>(work: (facts: Facts) => Plan): (facts: Facts) => Plan {
  const known = new WeakMap<Facts, Plan>();
  return (facts) => {
    const plan = known.get(facts) ?? work(facts);
    known.set(facts, plan);
    return plan;
  };
}

/** The vector's own value, or when that is empty the one of host, cluster or defaults. */
export function ownOrInherited({ inherited }: Pick<Facts, "inherited">, view: VectorView, vector: string, key: string): Value {
  const own = view.get(key);
  return own.text === "" ? inherited.keyText(vector, key) : own;
}

/** Works out what several contributors need. */
export function factsOf(input: DomainInput): Facts {
  const { all, inherited, clusterAndDefaults, defaultsOnly } = lookups(input);
  const vm = input.levels.vm;
  const arch = all.keyText("OS", "ARCH");
  if (arch.text === "") throw cannot(input, "No ARCH defined and no default provided.");
  const vcpuMax = all.text("VCPU_MAX");
  const machine = all.keyText("OS", "MACHINE");
  return {
    input, vm, all, inherited, clusterAndDefaults, defaultsOnly, arch, machine, vcpuMax,
    id: ofDocument("ID", input.vm.id),
    name: ofDocument("NAME", input.vm.name),
    systemDirectory: placed(input),
    vcpu: orElse(all.text("VCPU"), vcpuMax),
    q35like: /q35|virt/.test(machine.text),
    sdDiskBus: all.keyText("OS", "SD_DISK_BUS"),
    firmware: firmware(all.keyText("OS", "FIRMWARE")),
    firmwareSecure: all.keyFlag("OS", "FIRMWARE_SECURE"),
    ioThreads: all.keyInteger("FEATURES", "IOTHREADS"),
    memory: planMemory(input, all),
    topology: vm.vectors("TOPOLOGY")[0],
    numaNodes: numaNodes(vm),
  };
}

/** Why no document can be generated. The reasons that OpenNebula knows keep its words. */
export function cannot(input: DomainInput, reason: string): OnevirtError {
  return new OnevirtError("BAD_INPUT", `Cannot generate the domain of VM ${input.vm.id}: ${reason}`);
}

function placed(input: DomainInput): Value {
  if (!input.systemDirectory) throw cannot(input, "its document has no history record with a DS_ID, so its directory is unknown");
  return input.systemDirectory;
}

/** A flag of the vector itself, without further levels. */
export function ownFlag(vector: VectorView, key: string): Flag {
  return asFlag(vector.get(key));
}

/** Compat: `auto` is one queue per virtual processor; other texts that are not a number in C's eyes are dropped, numbers are kept as written. */
export function queues(asked: Value, vcpu: Value): Value {
  const text = asked.text.toLowerCase();
  if (text === "auto") return { text: vcpu.text, sources: sourcesOf(asked, vcpu) };
  return /^[ \t\n\v\f\r]*[+-]?\d+$/.test(text) ? { text, sources: asked.sources } : { text: "", sources: asked.sources };
}

function firmware(value: Value): Firmware {
  const upper = value.text.toUpperCase();
  if (upper === "" || upper === "BIOS") return { kind: "bios", value };
  return { kind: upper === "UEFI" ? "auto" : "path", value };
}
