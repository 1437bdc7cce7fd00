import { read, type Pointer } from "bun:ffi";
import type { DomainStats, StatsGroup } from "../core/ports.ts";
import type { Connection } from "./connection.ts";
import type { Handle } from "./handle.ts";
import { identifyActive } from "./identity.ts";
import { VIR } from "./numbers.ts";
import { readParameters } from "./typed-parameters.ts";

const GROUPS: Readonly<Record<StatsGroup, number>> = {
  state: VIR.VIR_DOMAIN_STATS_STATE,
  cpu: VIR.VIR_DOMAIN_STATS_CPU_TOTAL,
  balloon: VIR.VIR_DOMAIN_STATS_BALLOON,
  vcpu: VIR.VIR_DOMAIN_STATS_VCPU,
  interface: VIR.VIR_DOMAIN_STATS_INTERFACE,
  block: VIR.VIR_DOMAIN_STATS_BLOCK,
};

const { VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE: ACTIVE, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT: NOWAIT } = VIR;

/** Offsets of virDomainStatsRecord on LP64 (bun-notes 4.3). */
const RECORD = { domain: 0, params: 8, count: 16 } as const;

/** Statistics of all active domains, or of the given ones, in libvirt's order. Fields that need a busy QEMU are missing, not zero. */
export function readStats(connection: Connection, groups: readonly StatsGroup[], only: readonly Handle[] | undefined): DomainStats[] {
  const { calls } = connection.library;
  const mask = groups.reduce((bits, group) => bits | GROUPS[group], 0);
  const out = new BigUint64Array(1);
  const count = only
    ? calls.virDomainListGetStats(pointerArray(only), mask, out, NOWAIT)
    : calls.virConnectGetAllDomainStats(connection.pointer, mask, out, ACTIVE | NOWAIT);
  connection.check(count, "read statistics");
  const list = Number(out[0]) as Pointer;
  try {
    return Array.from({ length: count }, (_, index) => readRecord(connection, read.ptr(list, index * 8) as Pointer));
  } finally {
    calls.virDomainStatsRecordListFree(list);
  }
}

function readRecord(connection: Connection, record: Pointer): DomainStats {
  const domain = read.ptr(record, RECORD.domain) as Pointer;
  const fields = readParameters(read.ptr(record, RECORD.params) as Pointer, read.i32(record, RECORD.count));
  return { ...identifyActive(connection, domain), fields };
}

/** A NULL-terminated array of domain pointers. */
function pointerArray(handles: readonly Handle[]): BigUint64Array {
  return BigUint64Array.from([...handles.map((handle) => BigInt(handle.pointer)), 0n]);
}
