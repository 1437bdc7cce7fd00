import type { Pointer } from "bun:ffi";
import { hasCode } from "../core/errors.ts";
import type { DomainIdentity, DomainStats, DomainStatus, HypervisorVersions, ShutdownMode, StatsGroup } from "../core/ports.ts";
import { domainState, isActive } from "../core/states.ts";
import type { Connection } from "./connection.ts";
import { Handle } from "./handle.ts";
import { identify } from "./identity.ts";
import type { Library } from "./library.ts";
import { VIR } from "./numbers.ts";
import { StandingConnection } from "./standing-connection.ts";
import { readStats } from "./stats.ts";

const SHUTDOWN_FLAGS: Readonly<Record<ShutdownMode, number>> = {
  default: VIR.VIR_DOMAIN_SHUTDOWN_DEFAULT,
  acpi: VIR.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
  agent: VIR.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
};
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * libvirt's operations, each whole and blocking: names and plain objects in, plain objects out. It runs in a worker thread that
 * can be abandoned; the port `Hypervisor` of core stands before it (guarded.ts). Nothing here defines or undefines a domain: that is judge.ts, for another thread.
 */
export class BlockingHypervisor implements Disposable {
  readonly #standing: StandingConnection;

  constructor(
    readonly library: Library,
    readonly uri: string,
    readOnly: boolean,
  ) {
    this.#standing = new StandingConnection(library, uri, readOnly);
  }

  find(ref: string): DomainStatus | undefined {
    const connection = this.#open();
    using domain = this.#findDomain(connection, ref);
    return domain && orGone(() => this.#status(connection, domain));
  }

  create(xml: string): DomainIdentity {
    const connection = this.#open();
    const pointer = connection.library.calls.virDomainCreateXML(connection.pointer, xml, 0);
    if (pointer === null) throw connection.error("create the domain");
    using domain = new Handle(connection.library, "domain", pointer);
    return identify(connection, domain.pointer);
  }

  destroy(uuid: string): void {
    this.#withDomain(uuid, `destroy domain ${uuid}`, (domain) => this.library.calls.virDomainDestroy(domain));
  }

  shutdown(uuid: string, mode: ShutdownMode): void {
    this.#withDomain(uuid, `shut down domain ${uuid}`, (domain) => this.library.calls.virDomainShutdownFlags(domain, SHUTDOWN_FLAGS[mode]));
  }

  reboot(uuid: string): void {
    this.#withDomain(uuid, `reboot domain ${uuid}`, (domain) => this.library.calls.virDomainReboot(domain, 0));
  }

  reset(uuid: string): void {
    this.#withDomain(uuid, `reset domain ${uuid}`, (domain) => this.library.calls.virDomainReset(domain, 0));
  }

  domainXml(uuid: string, options: { readonly secure?: boolean }): string {
    const connection = this.#open();
    using domain = this.#domain(connection, uuid);
    const xml = this.library.calls.virDomainGetXMLDesc(domain.pointer, options.secure ? VIR.VIR_DOMAIN_XML_SECURE : 0);
    if (xml === null) throw connection.error(`read the document of domain ${uuid}`);
    return this.library.takeString(xml);
  }

  metadata(uuid: string, namespace: string): string | undefined {
    const connection = this.#open();
    using domain = this.#domain(connection, uuid);
    const xml = this.library.calls.virDomainGetMetadata(domain.pointer, VIR.VIR_DOMAIN_METADATA_ELEMENT, namespace, 0);
    if (xml !== null) return this.library.takeString(xml);
    const error = connection.error(`read the metadata of domain ${uuid}`);
    if (error.libvirt?.code === VIR.VIR_ERR_NO_DOMAIN_METADATA) return undefined;
    throw error;
  }

  redefineSnapshot(uuid: string, xml: string): void {
    const connection = this.#open();
    using domain = this.#domain(connection, uuid);
    const pointer = this.library.calls.virDomainSnapshotCreateXML(domain.pointer, xml, VIR.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE);
    if (pointer === null) throw connection.error(`redefine a snapshot of domain ${uuid}`);
    using _owned = new Handle(this.library, "snapshot", pointer);
  }

  list(): DomainStatus[] {
    return readStats(this.#open(), ["state"], undefined)
      .map(({ fields, ...identity }) => ({ ...identity, state: domainState(Number(fields["state.state"])), reason: Number(fields["state.reason"]) }))
      .filter(({ state }) => isActive(state))
      .sort((a, b) => a.id - b.id);
  }

  stats(groups: readonly StatsGroup[], uuids: readonly string[] | undefined): DomainStats[] {
    const connection = this.#open();
    if (!uuids) return readStats(connection, groups, undefined);
    using stack = new DisposableStack();
    const handles = uuids.flatMap((uuid) => stack.use(this.#findDomain(connection, uuid)) ?? []);
    return handles.length === 0 ? [] : readStats(connection, groups, handles);
  }

  maxMemoryKiB(uuids: readonly string[]): Record<string, number> {
    const connection = this.#open();
    return Object.fromEntries(uuids.flatMap((uuid) => {
      const kib = this.#maxMemory(connection, uuid);
      return kib === undefined ? [] : [[uuid, kib]];
    }));
  }

  versions(): HypervisorVersions {
    const connection = this.#open();
    const { calls } = this.library;
    const library = new BigUint64Array(1);
    const daemon = new BigUint64Array(1);
    connection.check(calls.virGetVersion(library, null, null), "read libvirt's version");
    connection.check(calls.virConnectGetLibVersion(connection.pointer, daemon), "read the daemon's version");
    return { library: dotted(library[0]), daemon: dotted(daemon[0]), type: calls.virConnectGetType(connection.pointer) ?? "" };
  }

  [Symbol.dispose](): void {
    this.#standing[Symbol.dispose]();
  }

  #open(): Connection {
    return this.#standing.open();
  }

  #withDomain(uuid: string, doing: string, call: (domain: Pointer) => number): void {
    const connection = this.#open();
    using domain = this.#domain(connection, uuid);
    connection.check(call(domain.pointer), doing);
  }

  #status(connection: Connection, domain: Handle): DomainStatus {
    const state = new Int32Array(1);
    const reason = new Int32Array(1);
    const result = this.library.calls.virDomainGetState(domain.pointer, state, reason, 0);
    connection.check(result, "read the state of a domain");
    return { ...identify(connection, domain.pointer), state: domainState(state[0] ?? 0), reason: reason[0] ?? 0 };
  }

  #maxMemory(connection: Connection, uuid: string): number | undefined {
    using domain = this.#findDomain(connection, uuid);
    if (!domain) return undefined;
    const info = new BigUint64Array(5); // virDomainInfo: state, maxMem KiB, memory KiB, nrVirtCpu, cpuTime
    return this.library.calls.virDomainGetInfo(domain.pointer, info) < 0 ? undefined : Number(info[1]);
  }

  #domain(connection: Connection, uuid: string): Handle {
    const pointer = this.library.calls.virDomainLookupByUUIDString(connection.pointer, uuid);
    if (pointer === null) throw connection.error(`find domain ${uuid}`);
    return new Handle(this.library, "domain", pointer);
  }

  /** In virsh's order: number, UUID, name; name also as fall-back (actions.md 6.1). */
  #findDomain(connection: Connection, ref: string): Handle | undefined {
    const { calls } = this.library;
    const found =
      (/^\d{1,9}$/.test(ref) && this.#lookUp(connection, ref, calls.virDomainLookupByID(connection.pointer, Number(ref)))) ||
      (UUID.test(ref) && this.#lookUp(connection, ref, calls.virDomainLookupByUUIDString(connection.pointer, ref))) ||
      this.#lookUp(connection, ref, calls.virDomainLookupByName(connection.pointer, ref));
    return found || undefined;
  }

  #lookUp(connection: Connection, ref: string, pointer: Pointer | null): Handle | undefined {
    if (pointer !== null) return new Handle(this.library, "domain", pointer);
    const error = connection.error(`find domain "${ref}"`);
    if (hasCode(error, "DOMAIN_NOT_FOUND")) return undefined;
    throw error;
  }
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
