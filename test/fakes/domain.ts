import { readDomainDocument } from "../../src/codec/domain-document.ts";
import { type ErrorCode, type LibvirtError, OnevirtError } from "../../src/core/errors.ts";
import { STATS_FIELDS } from "../../src/core/hypervisor.ts";
import type { DomainStatus, StatsFields, StatsGroup } from "../../src/core/ports.ts";
import { DOMAIN_STATES, type DomainState } from "../../src/core/states.ts";

/** A domain that a test puts in place. */
export interface FakeDomain {
  readonly name: string;
  readonly uuid: string;
  readonly state?: DomainState;
  readonly reason?: number;
  readonly persistent?: boolean;
  readonly xml?: string;
  /** Metadata elements by namespace. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly fields?: StatsFields;
  readonly maxMemoryKiB?: number;
  /** What the guest does when it is asked to power off: ends after so many milliseconds, or does not hear. */
  readonly powersOffAfterMs?: number | "never";
}

export type Kept = { -readonly [K in keyof Required<FakeDomain>]: Required<FakeDomain>[K] } & { id: number };

export function statusOf({ name, uuid, id, state, reason }: Kept): DomainStatus {
  return { name, uuid, id, state, reason };
}

/** State and interfaces come from libvirt; disks only from a QEMU that answers, so only when the test gave them. */
export function fieldsOf({ state, reason, fields }: Kept, groups: readonly StatsGroup[]): StatsFields {
  const wanted = Object.entries(fields).filter(([name]) => groups.some((group) => STATS_FIELDS[group].test(name)));
  return { ...(groups.includes("state") ? { "state.state": DOMAIN_STATES.indexOf(state), "state.reason": reason } : {}), ...Object.fromEntries(wanted) };
}

export function parsed(xml: string) {
  try {
    return readDomainDocument(xml, "the domain");
  } catch (cause) {
    throw refusal("LIBVIRT_FAILED", `Cannot create the domain: XML error`, { code: 35, domain: 20, text: String(cause) });
  }
}

export function refusal(code: ErrorCode, message: string, libvirt?: LibvirtError): OnevirtError {
  return new OnevirtError(code, message, libvirt ? { libvirt } : {});
}
