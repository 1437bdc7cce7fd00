import { ptr, read } from "bun:ffi";
import type { CpuComparison } from "../core/ports.ts";
import { type DomainAccess, takeText } from "./domain-access.ts";
import { VIR } from "./numbers.ts";

/** virNodeInfo on LP64: char model[32], unsigned long memory, unsigned int cpus, mhz, nodes, sockets, cores, threads. */
const NODE_INFO = { size: 64, mhz: 44 } as const;

const COMPARISONS: Readonly<Record<number, CpuComparison>> = {
  [VIR.VIR_CPU_COMPARE_INCOMPATIBLE]: "incompatible",
  [VIR.VIR_CPU_COMPARE_IDENTICAL]: "identical",
  [VIR.VIR_CPU_COMPARE_SUPERSET]: "superset",
};

/** The first <cpu> of a capabilities document is the host's; the later ones are numbers of the NUMA cells. */
const HOST_CPU = /<cpu>[\s\S]*?<\/cpu>/;

/** The host as libvirt describes it, whole and blocking: the thread's side of `NodePort`. */
export class BlockingNode {
  constructor(private readonly access: DomainAccess) {}

  capabilities(): string {
    const connection = this.access.open();
    return takeText(connection, "read the capabilities of the host", this.#calls.virConnectGetCapabilities(connection.pointer));
  }

  hostname(): string {
    const connection = this.access.open();
    return takeText(connection, "ask the host for its name", this.#calls.virConnectGetHostname(connection.pointer));
  }

  domainCapabilities(arch: string | undefined, machine: string | undefined, type: string | undefined): string {
    const connection = this.access.open();
    const text = this.#calls.virConnectGetDomainCapabilities(connection.pointer, null, arch ?? null, machine ?? null, type ?? null, 0);
    return takeText(connection, "read the capabilities for domains", text);
  }

  baselineCpu(capabilities: string): string {
    const connection = this.access.open();
    const document = Buffer.from(`${HOST_CPU.exec(capabilities)?.[0] ?? capabilities}\0`);
    const list = new BigUint64Array([BigInt(ptr(document))]);
    const cpu = this.#calls.virConnectBaselineCPU(connection.pointer, list, 1, VIR.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES);
    const text = takeText(connection, "read the CPU that the host can give", cpu);
    document.fill(0); // it had to live until here
    return text;
  }

  compareCpu(cpuXml: string): CpuComparison {
    const connection = this.access.open();
    const result = connection.check(this.#calls.virConnectCompareCPU(connection.pointer, cpuXml, 0), "compare the CPU with the host's");
    return COMPARISONS[result] ?? "incompatible";
  }

  cpuMhz(): number {
    const connection = this.access.open();
    const info = new Uint8Array(NODE_INFO.size);
    connection.check(this.#calls.virNodeGetInfo(connection.pointer, info), "read what the host has");
    return read.u32(ptr(info), NODE_INFO.mhz);
  }

  get #calls() {
    return this.access.library.calls;
  }
}
