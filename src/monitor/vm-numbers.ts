import type { Context, DomainStatus, Hypervisor, QemuProcess, StatsFields } from "../core/ports.ts";
import { domainState, isActive } from "../core/states.ts";
import { readBlockStats } from "./block-stats.ts";
import { cpuUsage } from "./cpu-usage.ts";
import { vmIdOf } from "./vm-state.ts";

/** What is reported of one VM; a number that was not read is absent, never 0. */
export interface VmNumbers {
  /** Undefined for a VM that OpenNebula did not start. */
  readonly id: number | undefined;
  readonly uuid: string;
  readonly name: string;
  readonly state: DomainStatus["state"];
  /** In upstream's order and units (monitoring.md 7.3): CPU in percent of one processor, MEMORY in KiB, else bytes and operations. */
  readonly numbers: Readonly<Partial<Record<"CPU" | "MEMORY", number> & Record<"NETRX" | "NETTX" | "DISKRDBYTES" | "DISKWRBYTES" | "DISKRDIOPS" | "DISKWRIOPS", bigint>>>;
}

interface Domain extends DomainStatus {
  readonly fields: StatsFields;
}

/** Numbers of all active domains in the order of their ids. Only disk counters ask QEMUs; they have a limit of their own. */
export async function vmNumbers(context: Context): Promise<readonly VmNumbers[]> {
  const domains = asDomains(await context.hypervisor.stats(["state", "interface"], undefined, context.deadline));
  const { percent, qemu } = await cpuUsage(context);
  const managed = domains.filter(({ name }) => vmIdOf(name) !== undefined);
  const { POLL_MONITOR_SECONDS: attemptSeconds, QUARANTINE_SECONDS: quarantineSeconds } = context.settings.onevirt;
  const blocks = await readBlockStats({ domains: managed, areAll: managed.length === domains.length }, qemu, { ...context, attemptSeconds, quarantineSeconds }, context.deadline);
  return domains.map((domain) => numbersOf(domain, percent.get(domain.uuid), qemu.get(domain.uuid), blocks.get(domain.uuid)));
}

function asDomains(stats: Awaited<ReturnType<Hypervisor["stats"]>>): readonly Domain[] {
  return stats
    .map(({ fields, ...identity }) => ({ ...identity, fields, state: domainState(Number(fields["state.state"])), reason: Number(fields["state.reason"]) }))
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
