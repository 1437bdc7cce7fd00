import { read, type Pointer } from "bun:ffi";
import type { Connection } from "./connection.ts";
import { type DomainAccess, takeText } from "./domain-access.ts";
import { Handle } from "./handle.ts";
import { VIR } from "./numbers.ts";

/** Snapshots of domains, whole and blocking: the thread's side of `SnapshotPort`. */
export class BlockingSnapshots {
  constructor(private readonly access: DomainAccess) {}

  create(uuid: string, xml: string): string {
    return this.#create(uuid, xml, 0, `take a snapshot of domain ${uuid}`, (snapshot, connection) => this.#name(connection, snapshot));
  }

  redefine(uuid: string, xml: string, { current = false }: { readonly current?: boolean }): void {
    const flags = VIR.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE | (current ? VIR.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT : 0);
    this.#create(uuid, xml, flags, `redefine a snapshot of domain ${uuid}`, () => undefined);
  }

  names(uuid: string): string[] {
    const connection = this.access.open();
    using domain = this.access.domain(connection, uuid);
    const out = new BigUint64Array(1);
    const count = connection.check(this.#calls.virDomainListAllSnapshots(domain.pointer, out, 0), `list the snapshots of domain ${uuid}`);
    using stack = new DisposableStack();
    return this.#take(Number(out[0]) as Pointer, count).map((snapshot) => this.#name(connection, stack.use(snapshot)));
  }

  current(uuid: string): string | undefined {
    const connection = this.access.open();
    using domain = this.access.domain(connection, uuid);
    const doing = `find the current snapshot of domain ${uuid}`;
    if (connection.check(this.#calls.virDomainHasCurrentSnapshot(domain.pointer, 0), doing) === 0) return undefined;
    using snapshot = this.#own(connection, doing, this.#calls.virDomainSnapshotCurrent(domain.pointer, 0));
    return this.#name(connection, snapshot);
  }

  xml(uuid: string, name: string, { secure = false }: { readonly secure?: boolean }): string {
    const flags = secure ? VIR.VIR_DOMAIN_SNAPSHOT_XML_SECURE : 0;
    return this.#with(uuid, name, (snapshot, connection) => takeText(connection, `read snapshot "${name}"`, this.#calls.virDomainSnapshotGetXMLDesc(snapshot, flags)));
  }

  revert(uuid: string, name: string, { force = false }: { readonly force?: boolean }): void {
    const flags = force ? VIR.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE : 0;
    this.#with(uuid, name, (snapshot, connection) => connection.check(this.#calls.virDomainRevertToSnapshot(snapshot, flags), `revert domain ${uuid} to snapshot "${name}"`));
  }

  delete(uuid: string, name: string, { metadataOnly = false }: { readonly metadataOnly?: boolean }): void {
    const flags = metadataOnly ? VIR.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY : 0;
    this.#with(uuid, name, (snapshot, connection) => connection.check(this.#calls.virDomainSnapshotDelete(snapshot, flags), `delete snapshot "${name}" of domain ${uuid}`));
  }

  get #calls() {
    return this.access.library.calls;
  }

  #create<T>(uuid: string, xml: string, flags: number, doing: string, answer: (snapshot: Handle, connection: Connection) => T): T {
    const connection = this.access.open();
    using domain = this.access.domain(connection, uuid);
    using snapshot = this.#own(connection, doing, this.#calls.virDomainSnapshotCreateXML(domain.pointer, xml, flags));
    return answer(snapshot, connection);
  }

  #with<T>(uuid: string, name: string, work: (snapshot: Pointer, connection: Connection) => T): T {
    const connection = this.access.open();
    using domain = this.access.domain(connection, uuid);
    using snapshot = this.#own(connection, `find snapshot "${name}" of domain ${uuid}`, this.#calls.virDomainSnapshotLookupByName(domain.pointer, name, 0));
    return work(snapshot.pointer, connection);
  }

  #own(connection: Connection, doing: string, pointer: Pointer | null): Handle {
    if (pointer === null) throw connection.error(doing);
    return new Handle(this.access.library, "snapshot", pointer);
  }

  #name(connection: Connection, snapshot: Handle): string {
    const name = this.#calls.virDomainSnapshotGetName(snapshot.pointer);
    if (name === null) throw connection.error("read the name of a snapshot");
    return name;
  }

  /** An array of snapshots that libvirt gave away, as handles; the array itself is freed. */
  #take(array: Pointer, count: number): Handle[] {
    const handles = Array.from({ length: count }, (_, index) => new Handle(this.access.library, "snapshot", read.ptr(array, index * 8) as Pointer));
    this.access.library.free(array);
    return handles;
  }
}
