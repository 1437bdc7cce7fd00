import type { Pointer } from "bun:ffi";
import { hasCode, OnevirtError } from "../core/errors.ts";
import type { MigrationParameters } from "../core/ports.ts";
import type { Connection } from "./connection.ts";
import type { DomainAccess } from "./domain-access.ts";
import { Handle } from "./handle.ts";
import { TypedParameters } from "./typed-parameters.ts";

/** Migrations, whole and blocking for as long as they take: the thread's side of `MigrationPort`. */
export class BlockingMigration {
  constructor(private readonly access: DomainAccess) {}

  prepare(sourceUri: string): void {
    this.access.open();
    this.access.openAt(sourceUri);
  }

  migrateFrom(sourceUri: string, uuid: string, flags: number, parameters: MigrationParameters): void {
    const destination = this.access.openAt(this.access.uri);
    const source = this.access.openAt(sourceUri);
    using domain = this.access.domain(source, uuid);
    using list = new TypedParameters(this.access.library, parameters);
    const moved = this.#calls.virDomainMigrate3(domain.pointer, destination.pointer, list.pointer, list.count, flags);
    if (moved === null) throw begun(source, uuid);
    using _moved = new Handle(this.access.library, "domain", moved);
  }

  migrateToUri(uuid: string, destinationUri: string, flags: number, parameters: MigrationParameters): void {
    const connection = this.access.open();
    using domain = this.access.domain(connection, uuid);
    using list = new TypedParameters(this.access.library, parameters);
    if (this.#migrateToUri(domain.pointer, destinationUri, list, flags) < 0) throw begun(connection, uuid);
  }

  get #calls() {
    return this.access.library.calls;
  }

  #migrateToUri(domain: Pointer, uri: string, list: TypedParameters, flags: number): number {
    return this.#calls.virDomainMigrateToURI3(domain, uri, list.pointer, list.count, flags);
  }
}

/** Either side may have lost its connection in the middle; then nobody knows how far it went. */
function begun(connection: Connection, uuid: string): OnevirtError {
  const error = connection.error(`migrate domain ${uuid}`);
  if (!hasCode(error, "LIBVIRT_UNREACHABLE")) return error;
  return new OnevirtError("CONNECTION_LOST", error.message, error.libvirt ? { libvirt: error.libvirt } : {});
}
