import type { Log, StateStore } from "../core/ports.ts";
import { remember } from "../monitor/remember.ts";

const STATE_NAME = "unsent-results";

/** Results of commands in guests, kept until the front-end has them: guests forget them once they have been asked. */
export class Results {
  #unsent: string;

  constructor(private readonly ports: { readonly state: StateStore; readonly log: Log }) {
    const kept = ports.state.read(STATE_NAME);
    this.#unsent = typeof kept === "string" ? kept : "";
  }

  /** All that has to be sent, with what a pass has brought. */
  add(text: string): string {
    if (text.trim() !== "") this.#keep(this.#unsent + text);
    return this.#unsent;
  }

  /** The front-end has them. */
  arrived(): void {
    if (this.#unsent !== "") this.#keep("");
  }

  #keep(text: string): void {
    this.#unsent = text;
    remember(STATE_NAME, text, this.ports);
  }
}
