import { OnevirtError } from "../core/errors.ts";
import type { DomainIdentity } from "../core/ports.ts";
import { lastError } from "./error.ts";
import { Handle } from "./handle.ts";
import type { Library } from "./library.ts";

/** One connection to a hypervisor. libvirt's calls on it block: it lives where it can be abandoned. */
export class Connection implements Disposable {
  readonly #handle: Handle;
  /** Active domains by libvirt's number, which no other domain gets while the daemon lives (identity.ts). */
  readonly identities = new Map<number, DomainIdentity>();
  /** Tells this connection from all others, also from those of other threads. */
  readonly token = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;

  private constructor(
    readonly library: Library,
    readonly uri: string,
    handle: Handle,
  ) {
    this.#handle = handle;
  }

  /** Opens `uri`, never libvirt's default one (install-and-sync R28). A first connection may take seconds where systemd starts the daemon. */
  static open(library: Library, uri: string, readOnly: boolean): Connection {
    if (uri === "") throw new OnevirtError("BAD_CONFIG", "Cannot connect to libvirt: the connection URI is empty", { hint: "set LIBVIRT_URI in kvmrc" });
    const { calls } = library;
    const pointer = readOnly ? calls.virConnectOpenReadOnly(uri) : calls.virConnectOpen(uri);
    if (pointer === null) throw asUnreachable(lastError(library, `connect to ${uri}`));
    return new Connection(library, uri, new Handle(library, "connection", pointer));
  }

  get pointer(): Handle["pointer"] {
    return this.#handle.pointer;
  }

  /** Whether the connection still stands, as far as libvirt knows; asks nobody. */
  get alive(): boolean {
    return this.library.calls.virConnectIsAlive(this.pointer) === 1;
  }

  /** The error of the call that has just failed on this connection. */
  error(doing: string): OnevirtError {
    return lastError(this.library, doing, () => this.alive);
  }

  /** Throws the error of a call that returned -1, else gives its result. */
  check(result: number, doing: string): number {
    if (result < 0) throw this.error(doing);
    return result;
  }

  [Symbol.dispose](): void {
    this.#handle[Symbol.dispose]();
  }
}

/** Whatever libvirt says when it cannot connect, it says nothing about domains. */
function asUnreachable(error: OnevirtError): OnevirtError {
  return new OnevirtError("LIBVIRT_UNREACHABLE", error.message, {
    ...(error.libvirt ? { libvirt: error.libvirt } : {}),
    hint: "check that libvirtd (or virtqemud) runs and that this user may use its socket",
  });
}
