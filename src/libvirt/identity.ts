import type { Pointer } from "bun:ffi";
import type { DomainIdentity } from "../core/ports.ts";
import type { Connection } from "./connection.ts";

/** VIR_UUID_STRING_BUFLEN. */
const UUID_BYTES = 37;

/** Name, UUID and id of a domain object; libvirt keeps all three in the object, so nobody is asked. */
export function identify(connection: Connection, domain: Pointer): DomainIdentity {
  const { calls } = connection.library;
  const buffer = new Uint8Array(UUID_BYTES);
  connection.check(calls.virDomainGetUUIDString(domain, buffer), "read the UUID of a domain");
  const uuid = new TextDecoder().decode(buffer.subarray(0, UUID_BYTES - 1));
  const id = calls.virDomainGetID(domain);
  return { name: calls.virDomainGetName(domain) ?? "", uuid, id: id === 0xffff_ffff ? -1 : id };
}

/** How many identities are kept; then they are read anew. */
const MOST_KEPT = 4096;

/** The same for a domain that runs, whose name and UUID cannot change: read once for each connection, and a connection ends with its daemon. */
export function identifyActive(connection: Connection, domain: Pointer): DomainIdentity {
  const { identities } = connection;
  const known = identities.get(connection.library.calls.virDomainGetID(domain));
  if (known) return known;
  const identity = identify(connection, domain);
  if (identities.size >= MOST_KEPT) identities.clear();
  if (identity.id >= 0) identities.set(identity.id, identity);
  return identity;
}
