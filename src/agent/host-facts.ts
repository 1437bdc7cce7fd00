import type { Clock, Log, StateStore } from "../core/ports.ts";
import { remember } from "../monitor/remember.ts";

/** What is older says nothing of a host any more: its agent was away for so long. */
const OLDEST_MS = 24 * 3600 * 1000;

/** What stays the same is written again after so long, so that its age is known. */
const KEEP_AGAIN_MS = 3600 * 1000;

interface Ports {
  readonly state: StateStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the probes of a host's facts said last, by their names: kept for the agent that follows, whose probes may fail before they have said anything. */
export class HostFacts {
  readonly #said: Map<string, string>;
  readonly #stateName: string;
  #changed = false;
  #keptAt = Number.NEGATIVE_INFINITY;

  constructor(
    hostId: number,
    private readonly ports: Ports,
  ) {
    this.#stateName = `host-facts-${hostId}`;
    this.#said = new Map(Object.entries(readSaid(ports.state.read(this.#stateName), ports.clock.nowMs())));
  }

  find(name: string): string | undefined {
    return this.#said.get(name);
  }

  note(name: string, text: string): void {
    this.#changed ||= this.#said.get(name) !== text;
    this.#said.set(name, text);
  }

  /** Writes what has changed; called after each pass. */
  keep(): void {
    const now = this.ports.clock.nowMs();
    if (this.#said.size === 0 || (!this.#changed && now >= this.#keptAt && now < this.#keptAt + KEEP_AGAIN_MS)) return;
    remember(this.#stateName, { writtenAt: now, said: Object.fromEntries(this.#said) }, this.ports);
    this.#changed = false;
    this.#keptAt = now;
  }
}

/** The file is ours, but may be of another version, or cut. What was written after now is of a clock that has gone back. */
function readSaid(kept: unknown, nowMs: number): Readonly<Record<string, string>> {
  const { writtenAt, said } = (kept ?? {}) as { readonly writtenAt?: unknown; readonly said?: unknown };
  if (typeof writtenAt !== "number" || nowMs - writtenAt > OLDEST_MS || typeof said !== "object" || said === null) return {};
  return Object.fromEntries(Object.entries(said).filter((each): each is [string, string] => typeof each[1] === "string"));
}
