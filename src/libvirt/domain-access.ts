import type { Pointer } from "bun:ffi";
import type { Connection } from "./connection.ts";
import { Handle } from "./handle.ts";
import type { Library } from "./library.ts";
import { StandingConnection } from "./standing-connection.ts";

/** The connection of one thread, and the domains on it: what its blocking objects have in common. Others only for a call that needs two. */
export class DomainAccess implements Disposable {
  readonly #standing: StandingConnection;
  readonly #others = new Map<string, StandingConnection>();

  constructor(
    readonly library: Library,
    readonly uri: string,
    readonly readOnly: boolean,
  ) {
    this.#standing = new StandingConnection(library, uri, readOnly);
  }

  /** The connection. Never to be asked for between a call and its error. */
  open(): Connection {
    return this.#standing.open();
  }

  /** A connection to this or another daemon, for a call that needs two. It may have stood for a while: one whose daemon was restarted since is replaced. */
  openAt(uri: string): Connection {
    const standing = uri === this.uri ? this.#standing : (this.#others.get(uri) ?? new StandingConnection(this.library, uri, this.readOnly));
    if (standing !== this.#standing) this.#others.set(uri, standing);
    if (this.library.calls.virConnectGetLibVersion(standing.open().pointer, new BigUint64Array(1)) < 0) standing[Symbol.dispose]();
    return standing.open();
  }

  /** The domain with this UUID; DOMAIN_NOT_FOUND. The caller gives it back. */
  domain(connection: Connection, uuid: string): Handle {
    const pointer = this.library.calls.virDomainLookupByUUIDString(connection.pointer, uuid);
    if (pointer === null) throw connection.error(`find domain ${uuid}`);
    return new Handle(this.library, "domain", pointer);
  }

  /** One call on one domain, which returns a number that is negative when it failed. */
  number(uuid: string, doing: string, call: (domain: Pointer) => number): number {
    const connection = this.open();
    using domain = this.domain(connection, uuid);
    return connection.check(call(domain.pointer), doing);
  }

  /** One call on one domain that changes something and has nothing to tell. */
  run(uuid: string, doing: string, call: (domain: Pointer) => number): void {
    this.number(uuid, doing, call);
  }

  /** One call on one domain, which gives a text away. */
  text(uuid: string, doing: string, call: (domain: Pointer) => Pointer | null): string {
    const connection = this.open();
    using domain = this.domain(connection, uuid);
    return takeText(connection, doing, call(domain.pointer));
  }

  [Symbol.dispose](): void {
    for (const each of [this.#standing, ...this.#others.values()]) each[Symbol.dispose]();
    this.#others.clear();
  }
}

/** The text that a call gave away, or its error. */
export function takeText(connection: Connection, doing: string, text: Pointer | null): string {
  if (text === null) throw connection.error(doing);
  return connection.library.takeString(text);
}
