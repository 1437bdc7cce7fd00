import { messageOf } from "../core/errors.ts";
import type { Context, DomainStatus, Hypervisor, QemuProcess, StatsFields } from "../core/ports.ts";
import { domainState, isActive } from "../core/states.ts";
import { readBlockStats } from "./block-stats.ts";
import { cpuUsage } from "./cpu-usage.ts";
import { vmIdOf } from "./vm-state.ts";

/** libvirt answers for interfaces from its own memory and the kernel's; longer is a daemon that hangs. More for each VM: a port of Open vSwitch is a program. */
const STATS_SECONDS = 5;
const SECONDS_A_VM = 0.02;

/** What is reported of one VM; a number that was not read is absent, never 0. */
export interface VmNumbers {
  /** Undefined for a VM that OpenNebula did not start. */
  readonly id: number | undefined;
  readonly uuid: string;
  readonly name: string;
  /** Undefined when libvirt could not be asked. */
  readonly state: DomainStatus["state"] | undefined;
  /** In upstream's order and units (monitoring.md 7.3): CPU in percent of one processor, MEMORY in KiB, else bytes and operations. */
  readonly numbers: Readonly<Partial<Record<"CPU" | "MEMORY", number> & Record<"NETRX" | "NETTX" | "DISKRDBYTES" | "DISKWRBYTES" | "DISKRDIOPS" | "DISKWRIOPS", bigint>>>;
}

interface Domain extends Pick<VmNumbers, "uuid" | "name" | "state"> {
  readonly fields: StatsFields;
}

/**
 * Numbers of all active domains. Only disk counters ask QEMUs; they have a limit of their own. When libvirt does not answer, processor and
 * memory come all the same, of the VMs that processes tell of, and what only libvirt knows is left out. Fails when nobody knows of any VM.
 */
export async function vmNumbers(context: Context): Promise<readonly VmNumbers[]> {
  const { percent, qemu } = await cpuUsage(context);
  const { domains, answered } = await listed(qemu, context);
  const blocks = answered ? await blocksOf(domains, qemu, context) : new Map<string, StatsFields>();
  return domains.map((domain) => numbersOf(domain, percent.get(domain.uuid), qemu.get(domain.uuid), blocks.get(domain.uuid)));
}

/** The domains by libvirt, in the order of their ids, or else by their processes. */
async function listed(qemu: ReadonlyMap<string, QemuProcess>, { hypervisor, deadline, processes, log }: Context): Promise<{ readonly domains: readonly Domain[]; readonly answered: boolean }> {
  try {
    return { domains: asDomains(await hypervisor.stats(["state", "interface"], undefined, deadline.within(STATS_SECONDS + qemu.size * SECONDS_A_VM))), answered: true };
  } catch (error) {
    const domains = byProcesses([...qemu.values()], processes);
    if (domains.length === 0) throw error;
    log.log("WARN", `Interfaces, disks and guests of all VMs are left out: ${messageOf(error)}`);
    return { domains, answered: false };
  }
}

/** A process that has no name, the name of another one, or not the pid that libvirt has noted for this name, is nobody's: that would be a guess. */
function byProcesses(qemu: readonly QemuProcess[], processes: Context["processes"]): readonly Domain[] {
  const count = Map.groupBy(qemu, ({ name }) => name);
  return qemu.flatMap(({ uuid, name, pid }) => (name === undefined || count.get(name)?.length !== 1 || (processes.pidFile(name) ?? pid) !== pid ? [] : [{ uuid, name, state: undefined, fields: {} }]));
}

function blocksOf(domains: readonly Domain[], qemu: ReadonlyMap<string, QemuProcess>, context: Context): Promise<ReadonlyMap<string, StatsFields>> {
  const managed = domains.filter(({ name }) => vmIdOf(name) !== undefined);
  const { POLL_MONITOR_SECONDS: attemptSeconds, QUARANTINE_SECONDS: quarantineSeconds } = context.settings.onevirt;
  return readBlockStats({ domains: managed, areAll: managed.length === domains.length }, qemu, { ...context, attemptSeconds, quarantineSeconds }, context.deadline);
}

function asDomains(stats: Awaited<ReturnType<Hypervisor["stats"]>>): readonly Domain[] {
  return stats
    .map(({ fields, ...identity }) => ({ ...identity, fields, state: domainState(Number(fields["state.state"])) }))
    .filter(({ state }) => isActive(state))
    .sort((a, b) => a.id - b.id);
}

function numbersOf({ uuid, name, state, fields }: Domain, percent: number | undefined, process: QemuProcess | undefined, blocks: StatsFields | undefined): VmNumbers {
  const id = vmIdOf(name);
  const memory = process && process.residentKiB + process.swapKiB + (process.hugePagesKiB ?? 0); // 0 of a process that is ending
  const own = { ...(percent === undefined ? {} : { CPU: percent }), ...(memory ? { MEMORY: memory } : {}) };
  return { id, uuid, name, state, numbers: id === undefined ? own : { ...own, ...countersOf(fields, blocks ?? {}) } };
}

/** Counters of all interfaces, and of all disks. */
function countersOf(fields: StatsFields, blocks: StatsFields): VmNumbers["numbers"] {
  const all = {
    NETRX: sumOf(fields, "net", "rx.bytes"), NETTX: sumOf(fields, "net", "tx.bytes"),
    DISKRDBYTES: sumOf(blocks, "block", "rd.bytes"), DISKWRBYTES: sumOf(blocks, "block", "wr.bytes"), DISKRDIOPS: sumOf(blocks, "block", "rd.reqs"), DISKWRIOPS: sumOf(blocks, "block", "wr.reqs"),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** No interface or disk is 0; one that has no counter (a port of another process) counts nothing; no answer is no number. */
function sumOf(fields: StatsFields, group: "net" | "block", counter: string): bigint | undefined {
  const count = Number(fields[`${group}.count`] ?? Number.NaN);
  const values = Array.from({ length: count || 0 }, (_, index) => fields[`${group}.${index}.${counter}`]).filter((value) => value !== undefined);
  return count === 0 || values.length > 0 ? values.reduce<bigint>((total, value) => total + BigInt(value), 0n) : undefined;
}
