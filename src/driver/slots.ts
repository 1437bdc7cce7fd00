import { mostWorkingPerHost } from "./queue.ts";

interface Seeker {
  readonly host: string;
  readonly enter: () => void;
}

/** The `-t` places for actions that work. Connecting takes none, and who waits long for one command lends its place (driver-protocol.md 18.4). */
export class Slots {
  readonly #seekers: Seeker[] = [];
  readonly #byHost = new Map<string, number>();
  #taken = 0;

  constructor(private readonly threads: number) {}

  /** A claim of one action: it holds at most one place. */
  claim(host: string): Claim {
    return new Claim((enter) => this.#seek({ host, enter }), () => this.#leave(host));
  }

  #seek(seeker: Seeker): () => void {
    this.#seekers.push(seeker);
    this.#next();
    return () => {
      const at = this.#seekers.indexOf(seeker);
      if (at >= 0) this.#seekers.splice(at, 1);
    };
  }

  #leave(host: string): void {
    this.#taken -= 1;
    const now = (this.#byHost.get(host) ?? 1) - 1;
    if (now === 0) this.#byHost.delete(host);
    else this.#byHost.set(host, now);
    this.#next();
  }

  #next(): void {
    for (let at = 0; at < this.#seekers.length && this.#taken < this.threads; ) {
      const seeker = this.#seekers[at];
      const used = this.#byHost.get(seeker?.host ?? "") ?? 0;
      if (!seeker || used >= mostWorkingPerHost(this.threads)) at += 1;
      else {
        this.#seekers.splice(at, 1);
        this.#taken += 1;
        this.#byHost.set(seeker.host, used + 1);
        seeker.enter();
      }
    }
  }
}

/** One action's place among those that work. */
export class Claim {
  #holds = false;

  constructor(
    private readonly seek: (enter: () => void) => () => void,
    private readonly leave: () => void,
  ) {}

  /** Waits for a place unless it has one; false when `signal` came first. */
  async hold(signal: AbortSignal): Promise<boolean> {
    if (this.#holds) return true;
    if (signal.aborted) return false;
    const entered = Promise.withResolvers<boolean>();
    const stopSeeking = this.seek(() => {
      this.#holds = true;
      entered.resolve(true);
    });
    const onAbort = (): void => {
      stopSeeking();
      entered.resolve(this.#holds);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const got = await entered.promise;
    signal.removeEventListener("abort", onAbort);
    return got;
  }

  /** Gives the place to somebody else; `hold` asks for one again. */
  lend(): void {
    if (!this.#holds) return;
    this.#holds = false;
    this.leave();
  }
}
