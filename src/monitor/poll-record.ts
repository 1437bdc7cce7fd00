import type { DomainStatus, Generation, StatsFields } from "../core/ports.ts";
import { pausedReason } from "../core/states.ts";

/** What the 5.x poll reports of one domain; absent fields are left out of the answer. */
export interface PollRecord {
  readonly name: string;
  readonly uuid: string;
  readonly state: "a" | "e" | "-";
  readonly cpu?: number;
  readonly memoryKiB: number;
  readonly netRx?: bigint;
  readonly netTx?: bigint;
  readonly disks?: DiskCounters;
  /** IMPORT_TEMPLATE as text, for domains that OpenNebula did not start. */
  readonly template?: string;
}

export interface DiskCounters {
  readonly readBytes: bigint;
  readonly writeBytes: bigint;
  readonly reads: bigint;
  readonly writes: bigint;
}

/** Reasons of a pause that end by themselves count as running since 5.8; these do not. */
const ERRORS: ReadonlySet<string> = new Set(["ioerror", "watchdog", "crashed", "postcopyfailed", "user", "unknown"]);

/** The letter for oned (actions.md 15.6). Never `d`: a state that is not known is "-". */
export function stateLetter({ state, reason }: DomainStatus, rules: Generation["poll"]): PollRecord["state"] {
  if (state === "running" || state === "blocked") return "a";
  if (state === "crashed") return "e";
  if (state === "shutdown") return rules === "5.4" ? "-" : "a";
  if (state === "pmsuspended") return rules === "5.4" ? "-" : "e";
  if (state === "paused") return rules === "5.8" && ERRORS.has(pausedReason(reason)) ? "e" : "a";
  return "-";
}

/** Bytes of all interfaces; undefined when the domain has none. */
export function sumNet(fields: StatsFields, counter: "rx" | "tx"): bigint | undefined {
  return sum(fields, "net", `${counter}.bytes`);
}

/** Counters of all disks; undefined when the domain has none, or QEMU did not tell. */
export function sumDisks(fields: StatsFields | undefined): DiskCounters | undefined {
  const of = (counter: string) => sum(fields ?? {}, "block", counter);
  const readBytes = of("rd.bytes");
  return readBytes === undefined ? undefined : { readBytes, writeBytes: of("wr.bytes") ?? 0n, reads: of("rd.reqs") ?? 0n, writes: of("wr.reqs") ?? 0n };
}

/** Whether oned calls the domain its own: upstream's pattern is not anchored at its end. */
export function isWild(name: string): boolean {
  return !/^one-\d+/.test(name);
}

function sum(fields: StatsFields, group: "net" | "block", counter: string): bigint | undefined {
  const count = Number(fields[`${group}.count`] ?? 0);
  const values = Array.from({ length: count }, (_, index) => BigInt((fields[`${group}.${index}.${counter}`] as bigint | undefined) ?? 0n));
  return count === 0 ? undefined : values.reduce((total, value) => total + value, 0n);
}
