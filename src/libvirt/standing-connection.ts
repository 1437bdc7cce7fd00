import { Connection } from "./connection.ts";
import type { Library } from "./library.ts";

/** One connection, opened on first use; a broken one is replaced, because libvirtd may have been restarted since. */
export class StandingConnection implements Disposable {
  #connection: Connection | undefined;

  constructor(
    private readonly library: Library,
    private readonly uri: string,
    private readonly readOnly: boolean,
  ) {}

  /** The connection. Never to be asked for between a call and its error: asking whether it stands erases the error. */
  open(): Connection {
    if (this.#connection && !this.#connection.alive) this[Symbol.dispose]();
    return (this.#connection ??= Connection.open(this.library, this.uri, this.readOnly));
  }

  [Symbol.dispose](): void {
    this.#connection?.[Symbol.dispose]();
    this.#connection = undefined;
  }
}
