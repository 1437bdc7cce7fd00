import type { Pointer } from "bun:ffi";
import { hasCode } from "../core/errors.ts";
import type { DomainIdentity, DomainStats, DomainStatus, HypervisorVersions, ShutdownMode, StatsGroup } from "../core/ports.ts";
import { domainState, isActive } from "../core/states.ts";
import type { Connection } from "./connection.ts";
import type { DomainAccess } from "./domain-access.ts";
import { Handle } from "./handle.ts";
import { identify } from "./identity.ts";
import { VIR } from "./numbers.ts";
import { numbersOf, readStats, type Records, statsOf, withRecords } from "./stats.ts";

const SHUTDOWN_FLAGS: Readonly<Record<ShutdownMode, number>> = {
  default: VIR.VIR_DOMAIN_SHUTDOWN_DEFAULT,
  acpi: VIR.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
  agent: VIR.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
};
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What a list is made of. */
const LISTED: readonly StatsGroup[] = ["state"];

/**
 * Operations on domains, each whole and blocking: names and plain objects in, plain objects out. It runs in a worker thread that
 * can be abandoned; the port `Hypervisor` of core stands before it (guarded.ts). Nothing here defines a domain: that is judge.ts, for another thread.
 */
export class BlockingHypervisor {
  constructor(private readonly access: DomainAccess) {}

  find(ref: string): DomainStatus | undefined {
    const connection = this.access.open();
    using domain = this.#findDomain(connection, ref);
    return domain && orGone(() => this.#status(connection, domain));
  }

  create(xml: string): DomainIdentity {
    const connection = this.access.open();
    const pointer = connection.library.calls.virDomainCreateXML(connection.pointer, xml, 0);
    if (pointer === null) throw connection.error("create the domain");
    using domain = new Handle(connection.library, "domain", pointer);
    return identify(connection, domain.pointer);
  }

  destroy(uuid: string): void {
    this.access.run(uuid, `destroy domain ${uuid}`, (domain) => this.access.library.calls.virDomainDestroy(domain));
  }

  shutdown(uuid: string, mode: ShutdownMode): void {
    this.access.run(uuid, `shut down domain ${uuid}`, (domain) => this.access.library.calls.virDomainShutdownFlags(domain, SHUTDOWN_FLAGS[mode]));
  }

  reboot(uuid: string): void {
    this.access.run(uuid, `reboot domain ${uuid}`, (domain) => this.access.library.calls.virDomainReboot(domain, 0));
  }

  reset(uuid: string): void {
    this.access.run(uuid, `reset domain ${uuid}`, (domain) => this.access.library.calls.virDomainReset(domain, 0));
  }

  domainXml(uuid: string, { secure = false }: { readonly secure?: boolean }): string {
    return this.access.text(uuid, `read the document of domain ${uuid}`, (domain) => this.access.library.calls.virDomainGetXMLDesc(domain, secure ? VIR.VIR_DOMAIN_XML_SECURE : 0));
  }

  metadata(uuid: string, namespace: string): string | undefined {
    const connection = this.access.open();
    using domain = this.access.domain(connection, uuid);
    const xml = this.access.library.calls.virDomainGetMetadata(domain.pointer, VIR.VIR_DOMAIN_METADATA_ELEMENT, namespace, 0);
    if (xml !== null) return this.access.library.takeString(xml);
    const error = connection.error(`read the metadata of domain ${uuid}`);
    if (error.libvirt?.code === VIR.VIR_ERR_NO_DOMAIN_METADATA) return undefined;
    throw error;
  }

  setMetadata(uuid: string, namespace: string, key: string, xml: string): void {
    const { virDomainSetMetadata } = this.access.library.calls;
    this.access.run(uuid, `set the metadata of domain ${uuid}`, (domain) => virDomainSetMetadata(domain, VIR.VIR_DOMAIN_METADATA_ELEMENT, xml, key, namespace, VIR.VIR_DOMAIN_AFFECT_LIVE));
  }

  suspend(uuid: string): void {
    this.access.run(uuid, `suspend domain ${uuid}`, (domain) => this.access.library.calls.virDomainSuspend(domain));
  }

  resume(uuid: string): void {
    this.access.run(uuid, `resume domain ${uuid}`, (domain) => this.access.library.calls.virDomainResume(domain));
  }

  wakeUp(uuid: string): void {
    this.access.run(uuid, `wake up domain ${uuid}`, (domain) => this.access.library.calls.virDomainPMWakeup(domain, 0));
  }

  undefine(uuid: string): void {
    const flags = VIR.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA;
    this.access.run(uuid, `undefine domain ${uuid}`, (domain) => this.access.library.calls.virDomainUndefineFlags(domain, flags));
  }

  list(): DomainStatus[] {
    const connection = this.access.open();
    return withRecords(connection, LISTED, undefined, (records) => activeOf(connection, records));
  }

  /** The same with its hash; without the list when the caller has it, as it mostly has: then it need be neither read nor go from thread to thread. */
  listSince(known: bigint | undefined): { readonly hash: bigint; readonly domains?: readonly DomainStatus[] } {
    const connection = this.access.open();
    return withRecords(connection, LISTED, undefined, (records) => {
      const hash = BigInt(Bun.hash(numbersOf(connection, records), connection.token)); // another daemon may give the same numbers to other domains
      return hash === known ? { hash } : { hash, domains: activeOf(connection, records) };
    });
  }

  stats(groups: readonly StatsGroup[], uuids: readonly string[] | undefined): DomainStats[] {
    const connection = this.access.open();
    if (!uuids) return readStats(connection, groups, undefined);
    using stack = new DisposableStack();
    const handles = uuids.flatMap((uuid) => stack.use(this.#findDomain(connection, uuid)) ?? []);
    return handles.length === 0 ? [] : readStats(connection, groups, handles);
  }

  maxMemoryKiB(uuids: readonly string[]): Record<string, number> {
    const connection = this.access.open();
    return Object.fromEntries(uuids.flatMap((uuid) => {
      const kib = this.#maxMemory(connection, uuid);
      return kib === undefined ? [] : [[uuid, kib]];
    }));
  }

  versions(): HypervisorVersions {
    const connection = this.access.open();
    const { calls } = this.access.library;
    const library = new BigUint64Array(1);
    const daemon = new BigUint64Array(1);
    connection.check(calls.virGetVersion(library, null, null), "read libvirt's version");
    connection.check(calls.virConnectGetLibVersion(connection.pointer, daemon), "read the daemon's version");
    return { library: dotted(library[0]), daemon: dotted(daemon[0]), type: calls.virConnectGetType(connection.pointer) ?? "" };
  }

  #status(connection: Connection, domain: Handle): DomainStatus {
    const state = new Int32Array(1);
    const reason = new Int32Array(1);
    const result = this.access.library.calls.virDomainGetState(domain.pointer, state, reason, 0);
    connection.check(result, "read the state of a domain");
    return { ...identify(connection, domain.pointer), state: domainState(state[0] ?? 0), reason: reason[0] ?? 0 };
  }

  #maxMemory(connection: Connection, uuid: string): number | undefined {
    using domain = this.#findDomain(connection, uuid);
    if (!domain) return undefined;
    const info = new BigUint64Array(5); // virDomainInfo: state, maxMem KiB, memory KiB, nrVirtCpu, cpuTime
    return this.access.library.calls.virDomainGetInfo(domain.pointer, info) < 0 ? undefined : Number(info[1]);
  }

  /** In virsh's order: number, UUID, name; name also as fall-back (actions.md 6.1). */
  #findDomain(connection: Connection, ref: string): Handle | undefined {
    const { calls } = this.access.library;
    const found =
      (/^\d{1,9}$/.test(ref) && this.#lookUp(connection, ref, calls.virDomainLookupByID(connection.pointer, Number(ref)))) ||
      (UUID.test(ref) && this.#lookUp(connection, ref, calls.virDomainLookupByUUIDString(connection.pointer, ref))) ||
      this.#lookUp(connection, ref, calls.virDomainLookupByName(connection.pointer, ref));
    return found || undefined;
  }

  #lookUp(connection: Connection, ref: string, pointer: Pointer | null): Handle | undefined {
    if (pointer !== null) return new Handle(this.access.library, "domain", pointer);
    const error = connection.error(`find domain "${ref}"`);
    if (hasCode(error, "DOMAIN_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** Domains that libvirt lists as active, in the order of their numbers. */
function activeOf(connection: Connection, records: Records): DomainStatus[] {
  return statsOf(connection, LISTED, records)
    .map(({ fields, ...identity }) => ({ ...identity, state: domainState(Number(fields["state.state"])), reason: Number(fields["state.reason"]) }))
    .filter(({ state }) => isActive(state))
    .sort((a, b) => a.id - b.id);
}

/** The domain may end between two calls; then there is none. */
function orGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, "DOMAIN_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** 9000000 is 9.0.0. */
function dotted(version: bigint | undefined): string {
  const number = Number(version ?? 0n);
  return [Math.floor(number / 1_000_000), Math.floor(number / 1000) % 1000, number % 1000].join(".");
}
