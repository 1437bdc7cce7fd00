import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/ports.ts";
import { identityOf } from "./resident-process.ts";

/** A process that starts the next one: its exit code, once it has one. Throws when it cannot be started at all. */
export type Start = () => { readonly exited: Promise<number> };

/**
 * Starts the executable that has taken the place of this process's own. The next one ends this one, so whatever goes wrong before that
 * leaves this one as it is, and is tried again with the next look: a file that is being copied, or has no mode yet, is whole later.
 */
export class Successor {
  readonly #own: string | undefined;
  #starting = false;
  #told = "";

  constructor(
    private readonly path: string,
    private readonly start: Start,
    private readonly log: Log,
  ) {
    this.#own = identityOf(path);
  }

  /** One look. A file that is gone is no successor: it is between two names. */
  look(): void {
    const now = identityOf(this.path);
    if (this.#starting || now === undefined || now === this.#own) return;
    try {
      this.#starting = true;
      void this.start().exited.then((code) => this.#ended(code === 0 ? "it has started, and this one was not ended" : `exit code ${code}`));
    } catch (error) {
      this.#ended(messageOf(error));
    }
  }

  /** This process is still there to say so. */
  #ended(reason: string): void {
    this.#starting = false;
    if (reason !== this.#told) this.log.log("WARN", `Cannot start "${this.path}", which has replaced this agent's: ${reason}`);
    this.#told = reason;
  }
}
