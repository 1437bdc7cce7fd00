import type { Deadline } from "../core/deadline.ts";
import { messageOf } from "../core/errors.ts";
import { readDomainDocument } from "../codec/domain-document.ts";
import type { Context, DomainStatus, Generation, Hypervisor, QemuProcess, StatsFields } from "../core/ports.ts";
import { domainState, isActive, pausedReason } from "../core/states.ts";
import { readBlockStats, type BlockSources } from "./block-stats.ts";
import { cpuUsage } from "./cpu-usage.ts";
import { importTemplate } from "./import-template.ts";
import { isWild, stateLetter, sumDisks, sumNet, type DiskCounters, type PollRecord } from "./poll-record.ts";

export interface PollSources extends BlockSources {
  readonly rules: Generation["poll"];
}

/** What a context has for it, by the rules of the oned that this tree belongs to. */
export function pollSources({ hypervisor, processes, state, clock, log, generation, settings }: Context): PollSources {
  const { POLL_MONITOR_SECONDS: attemptSeconds, QUARANTINE_SECONDS: quarantineSeconds } = settings.onevirt;
  return { hypervisor, processes, state, clock, log, rules: generation.poll, attemptSeconds, quarantineSeconds };
}

/** Everything that was read, before it becomes records. */
interface Readings {
  readonly percent: ReadonlyMap<string, number>;
  readonly qemu: ReadonlyMap<string, QemuProcess>;
  readonly blocks: ReadonlyMap<string, StatsFields>;
  readonly maxMemory: Readonly<Record<string, number>>;
  readonly templates: ReadonlyMap<string, string>;
}

type Domain = DomainStatus & { readonly fields: StatsFields };

/** Records of all active domains, in the order of their ids. Spawns nothing; a stuck QEMU costs its own disk counters only. */
export async function pollAll(sources: PollSources, deadline: Deadline): Promise<readonly PollRecord[]> {
  const domains = asDomains(await sources.hypervisor.stats(["state", "interface"], undefined, deadline));
  return record(domains, true, sources, deadline);
}

/** The record of one domain; undefined when libvirt has none of this name. */
export async function pollOne(ref: string, sources: PollSources, deadline: Deadline): Promise<PollRecord | undefined> {
  const status = await sources.hypervisor.find(ref, deadline);
  if (!status || !isActive(status.state)) return undefined;
  const domains = asDomains(await sources.hypervisor.stats(["state", "interface"], [status.uuid], deadline));
  return (await record(domains, false, sources, deadline))[0];
}

function asDomains(stats: Awaited<ReturnType<Hypervisor["stats"]>>): readonly Domain[] {
  return stats
    .map(({ fields, ...identity }) => ({ ...identity, fields, state: domainState(Number(fields["state.state"])), reason: Number(fields["state.reason"]) }))
    .filter(({ state }) => isActive(state))
    .sort((a, b) => a.id - b.id);
}

/** `listed`: these are all active domains, for a form that also holds templates. The single form has no disk counters before 5.8, so nobody is asked for them. */
async function record(domains: readonly Domain[], listed: boolean, sources: PollSources, deadline: Deadline): Promise<readonly PollRecord[]> {
  const { percent, qemu } = await cpuUsage(sources);
  const maxMemory = await maxMemoryOf(domains, qemu, sources, deadline);
  const templates = listed ? await templatesOf(domains, sources, deadline) : new Map<string, string>();
  const asked = listed || sources.rules === "5.8" ? domains.filter((domain) => readsStatistics(domain, sources.rules)) : [];
  const blocks = await readBlockStats({ domains: asked, areAll: listed && asked.length === domains.length }, qemu, sources, deadline);
  return domains.map((domain) => recordOf(domain, { percent, qemu, blocks, maxMemory, templates }, sources.rules));
}

function recordOf(domain: Domain, { percent, qemu, blocks, maxMemory, templates }: Readings, rules: Generation["poll"]): PollRecord {
  const { uuid, name, fields } = domain;
  const [cpu, process, template] = [percent.get(uuid), qemu.get(uuid), templates.get(uuid)];
  const statistics = readsStatistics(domain, rules);
  const [netRx, netTx] = statistics ? [sumNet(fields, "rx") ?? absent(rules), sumNet(fields, "tx") ?? absent(rules)] : [];
  const disks = statistics ? disksOf(blocks.get(uuid), rules) : undefined;
  return {
    name, uuid, state: stateLetter(domain, rules), memoryKiB: memoryOf(process, maxMemory[uuid], rules),
    ...(cpu === undefined ? {} : { cpu }), ...(netRx === undefined ? {} : { netRx }), ...(netTx === undefined ? {} : { netTx }),
    ...(disks ? { disks } : {}), ...(template === undefined ? {} : { template }),
  };
}

/** Since 5.8 a counter that does not exist counts 0; before, it was left out (actions.md 15.7). */
function absent(rules: Generation["poll"]): bigint | undefined {
  return rules === "5.8" ? 0n : undefined;
}

/** No disks is 0 since 5.8; no answer is never 0. */
function disksOf(fields: StatsFields | undefined, rules: Generation["poll"]): DiskCounters | undefined {
  const none = rules === "5.8" && fields !== undefined ? { readBytes: 0n, writeBytes: 0n, reads: 0n, writes: 0n } : undefined;
  return sumDisks(fields) ?? none;
}

/** Since 5.8 only of domains that are running or paused for a moment, and never of one that migrates. */
function readsStatistics(domain: Domain, rules: Generation["poll"]): boolean {
  if (rules === "5.4") return true;
  const migrates = domain.state === "paused" && pausedReason(domain.reason) === "migration";
  return stateLetter(domain, rules) === "a" && !migrates;
}

/** Resident memory: with the swapped part since 5.8, before at least what libvirt grants. Without a process, what libvirt grants. */
function memoryOf(process: QemuProcess | undefined, maxKiB: number | undefined, rules: Generation["poll"]): number {
  if (!process) return maxKiB ?? 0;
  return rules === "5.8" ? process.residentKiB + process.swapKiB : Math.max(process.residentKiB, maxKiB ?? 0);
}

async function maxMemoryOf(domains: readonly Domain[], qemu: Readings["qemu"], { hypervisor, rules }: PollSources, deadline: Deadline): Promise<Readonly<Record<string, number>>> {
  const needed = domains.filter(({ uuid }) => rules === "5.4" || !qemu.has(uuid));
  return needed.length === 0 ? {} : hypervisor.maxMemoryKiB(needed.map(({ uuid }) => uuid), deadline);
}

async function templatesOf(domains: readonly Domain[], { hypervisor, log }: PollSources, deadline: Deadline): Promise<ReadonlyMap<string, string>> {
  const templates = new Map<string, string>();
  for (const { uuid, name } of domains.filter((domain) => isWild(domain.name))) {
    try {
      templates.set(uuid, importTemplate(readDomainDocument(await hypervisor.domainXml(uuid, {}, deadline), name), uuid));
    } catch (error) {
      log.log("WARN", `No import template of "${name}": ${messageOf(error)}`);
    }
  }
  return templates;
}
