import { CString, read, type Pointer } from "bun:ffi";
import type { DomainStats, StatsFields, StatsGroup } from "../core/ports.ts";
import type { Connection } from "./connection.ts";
import type { Handle } from "./handle.ts";
import { identify } from "./identity.ts";
import { VIR } from "./numbers.ts";

const GROUPS: Readonly<Record<StatsGroup, number>> = {
  state: VIR.VIR_DOMAIN_STATS_STATE,
  cpu: VIR.VIR_DOMAIN_STATS_CPU_TOTAL,
  balloon: VIR.VIR_DOMAIN_STATS_BALLOON,
  vcpu: VIR.VIR_DOMAIN_STATS_VCPU,
  interface: VIR.VIR_DOMAIN_STATS_INTERFACE,
  block: VIR.VIR_DOMAIN_STATS_BLOCK,
};

const { VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE: ACTIVE, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT: NOWAIT } = VIR;

/** Sizes and offsets of virDomainStatsRecord and virTypedParameter on LP64 (bun-notes 4.3). */
const RECORD = { domain: 0, params: 8, count: 16 } as const;
const PARAM = { size: 96, type: 80, value: 88 } as const;

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
  const params = read.ptr(record, RECORD.params);
  const count = read.i32(record, RECORD.count);
  const fields: Record<string, StatsFields[string]> = {};
  for (let index = 0; index < count; index++) {
    const param = (params + index * PARAM.size) as Pointer;
    fields[new CString(param).toString()] = readValue(param);
  }
  return { ...identify(connection, domain), fields };
}

function readValue(param: Pointer): StatsFields[string] {
  switch (read.i32(param, PARAM.type)) {
    case VIR.VIR_TYPED_PARAM_INT: return read.i32(param, PARAM.value);
    case VIR.VIR_TYPED_PARAM_UINT: return read.u32(param, PARAM.value);
    case VIR.VIR_TYPED_PARAM_LLONG: return read.i64(param, PARAM.value);
    case VIR.VIR_TYPED_PARAM_ULLONG: return read.u64(param, PARAM.value);
    case VIR.VIR_TYPED_PARAM_DOUBLE: return read.f64(param, PARAM.value);
    case VIR.VIR_TYPED_PARAM_BOOLEAN: return read.u8(param, PARAM.value) !== 0;
    case VIR.VIR_TYPED_PARAM_STRING: return new CString(read.ptr(param, PARAM.value) as Pointer).toString();
    default: throw new TypeError("Cannot read statistics: libvirt gave a parameter of an unknown type");
  }
}

/** A NULL-terminated array of domain pointers. */
function pointerArray(handles: readonly Handle[]): BigUint64Array {
  return BigUint64Array.from([...handles.map((handle) => BigInt(handle.pointer)), 0n]);
}
