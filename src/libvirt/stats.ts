import { read, type Pointer } from "bun:ffi";
import { type DomainStats, STATS_FIELDS, type StatsGroup } from "../core/hypervisor.ts";
import type { Connection } from "./connection.ts";
import type { Handle } from "./handle.ts";
import { identifyActive } from "./identity.ts";
import { VIR } from "./numbers.ts";
import { PARAM, readParameters } from "./typed-parameters.ts";

const GROUPS: Readonly<Record<StatsGroup, number>> = {
  state: VIR.VIR_DOMAIN_STATS_STATE,
  interface: VIR.VIR_DOMAIN_STATS_INTERFACE,
  block: VIR.VIR_DOMAIN_STATS_BLOCK,
  disk: VIR.VIR_DOMAIN_STATS_BLOCK,
};

const { VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE: ACTIVE, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT: NOWAIT } = VIR;

/** Offsets of virDomainStatsRecord on LP64 (bun-notes 4.3). */
const RECORD = { domain: 0, params: 8, count: 16 } as const;

/** The records of one bulk call, which are libvirt's and gone when the work with them is done. */
export interface Records {
  readonly list: Pointer;
  readonly count: number;
}

/** Statistics of all active domains, or of the given ones, in libvirt's order: of each group what STATS_FIELDS says. Fields that need a busy QEMU are missing, not zero. */
export function readStats(connection: Connection, groups: readonly StatsGroup[], only: readonly Handle[] | undefined): DomainStats[] {
  return withRecords(connection, groups, only, (records) => statsOf(connection, groups, records));
}

/** One bulk call, and what `work` makes of its answer. */
export function withRecords<T>(connection: Connection, groups: readonly StatsGroup[], only: readonly Handle[] | undefined, work: (records: Records) => T): T {
  const { calls } = connection.library;
  const mask = groups.reduce((bits, group) => bits | GROUPS[group], 0);
  const out = new BigUint64Array(1);
  const count = only
    ? calls.virDomainListGetStats(pointerArray(only), mask, out, NOWAIT)
    : calls.virConnectGetAllDomainStats(connection.pointer, mask, out, ACTIVE | NOWAIT);
  connection.check(count, "read statistics");
  const list = Number(out[0]) as Pointer;
  try {
    return work({ list, count });
  } finally {
    calls.virDomainStatsRecordListFree(list);
  }
}

/** Those records as plain objects. */
export function statsOf(connection: Connection, groups: readonly StatsGroup[], { list, count }: Records): DomainStats[] {
  const isWanted = wantedIn(groups);
  return Array.from({ length: count }, (_, index) => readRecord(connection, read.ptr(list, index * 8) as Pointer, isWanted));
}

/**
 * The number of each domain and its values, in libvirt's order, without a name or an object: as long as they are the same, nothing has
 * changed. Of the groups whose values are whole numbers of 32 bits ("state").
 */
export function numbersOf({ library }: Connection, { list, count }: Records): Int32Array {
  const numbers: number[] = [];
  for (let index = 0; index < count; index++) {
    const record = read.ptr(list, index * 8) as Pointer;
    numbers.push(library.calls.virDomainGetID(read.ptr(record, RECORD.domain) as Pointer));
    const params = read.ptr(record, RECORD.params) as Pointer;
    const end = read.i32(record, RECORD.count) * PARAM.size;
    for (let offset = PARAM.value; offset < end; offset += PARAM.size) numbers.push(read.i32(params, offset));
  }
  return Int32Array.from(numbers);
}

/** Domains have the same names: each is looked at once. */
function wantedIn(groups: readonly StatsGroup[]): (name: string) => boolean {
  const known = new Map<string, boolean>();
  return (name) => known.get(name) ?? remembered(known, name, groups.some((group) => STATS_FIELDS[group].test(name)));
}

function remembered(known: Map<string, boolean>, name: string, wanted: boolean): boolean {
  known.set(name, wanted);
  return wanted;
}

function readRecord(connection: Connection, record: Pointer, isWanted: (name: string) => boolean): DomainStats {
  const domain = read.ptr(record, RECORD.domain) as Pointer;
  const fields = readParameters(read.ptr(record, RECORD.params) as Pointer, read.i32(record, RECORD.count), isWanted);
  return { ...identifyActive(connection, domain), fields };
}

/** A NULL-terminated array of domain pointers. */
function pointerArray(handles: readonly Handle[]): BigUint64Array {
  return BigUint64Array.from([...handles.map((handle) => BigInt(handle.pointer)), 0n]);
}
