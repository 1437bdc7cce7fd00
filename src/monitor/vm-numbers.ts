import type { Context, DomainStatus, Hypervisor, QemuProcess, StatsFields } from "../core/ports.ts";
import { domainState, isActive } from "../core/states.ts";
import { readBlockStats } from "./block-stats.ts";
import { cpuUsage } from "./cpu-usage.ts";
import { sumDisks, sumNet } from "./poll-record.ts";
import { standingConnection } from "./standing-connection.ts";
import { vmIdOf } from "./vm-state.ts";

/** What is reported of one VM; a number that was not read is absent, never 0. */
export interface VmNumbers {
  /** Undefined for a VM that OpenNebula did not start. */
  readonly id: number | undefined;
  readonly uuid: string;
  readonly name: string;
  readonly state: DomainStatus["state"];
  /** In upstream's order and units (monitoring.md 7.3): CPU in percent of one processor, MEMORY in KiB, else bytes and operations. */
  readonly numbers: Readonly<Partial<Record<"CPU" | "MEMORY" | "NETRX" | "NETTX" | "DISKRDBYTES" | "DISKWRBYTES" | "DISKRDIOPS" | "DISKWRIOPS", number>>>;
}

interface Domain extends DomainStatus {
  readonly fields: StatsFields;
}

/** Numbers of all active domains in the order of their ids. Only disk counters ask QEMUs; they have a limit of their own. */
export async function vmNumbers(context: Context): Promise<readonly VmNumbers[]> {
  const hypervisor = standingConnection(context, "statistics");
  const domains = asDomains(await hypervisor.stats(["state", "interface"], undefined, context.deadline));
  const { percent, qemu } = await cpuUsage(context);
  const managed = domains.filter(({ name }) => vmIdOf(name) !== undefined);
  const { POLL_MONITOR_SECONDS: attemptSeconds, QUARANTINE_SECONDS: quarantineSeconds } = context.settings.onevirt;
  const blocks = await readBlockStats({ domains: managed, areAll: managed.length === domains.length }, qemu, { ...context, hypervisor, attemptSeconds, quarantineSeconds }, context.deadline);
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
  const own = { ...(percent === undefined ? {} : { CPU: percent }), ...(process ? { MEMORY: process.residentKiB + process.swapKiB + (process.hugePagesKiB ?? 0) } : {}) };
  return { id, uuid, name, state, numbers: id === undefined ? own : { ...own, NETRX: Number(sumNet(fields, "rx") ?? 0n), NETTX: Number(sumNet(fields, "tx") ?? 0n), ...disksOf(blocks) } };
}

/** No disk is 0; no answer is no number. */
function disksOf(fields: StatsFields | undefined) {
  if (fields === undefined) return {};
  const { readBytes = 0n, writeBytes = 0n, reads = 0n, writes = 0n } = sumDisks(fields) ?? {};
  return { DISKRDBYTES: Number(readBytes), DISKWRBYTES: Number(writeBytes), DISKRDIOPS: Number(reads), DISKWRIOPS: Number(writes) };
}
