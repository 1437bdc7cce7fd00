import type { Timers } from "./ports.ts";
import type { RemoteSession } from "./remote-session.ts";

/** From the end of one request to the first step of the next: longer, and something else came between. */
const KEPT_MS = 500;

/**
 * Sessions whose single step has ended, for requests that wait for the same host at this very moment. Opening an ssh is most of
 * what such a request costs. Only sessions that run one script are handed on, never those that forward an agent.
 */
export class SessionShelf {
  readonly #kept = new Map<RemoteSession, () => void>();

  /** `waitsFor` says whether a request for this host is in the queue. */
  constructor(
    private readonly waitsFor: (host: string) => boolean,
    private readonly timers: Timers,
  ) {}

  /** Keeps an idle session when somebody waits for it; says whether it did. Otherwise its owner closes it. */
  offer(session: RemoteSession): boolean {
    if (!session.isIdle || !this.waitsFor(session.host)) return false;
    this.#kept.set(session, this.timers.after(KEPT_MS, () => this.#close(session)));
    return true;
  }

  /** A kept session of this host; it then belongs to the caller. */
  take(host: string): RemoteSession | undefined {
    for (const [session, stopTimer] of this.#kept) {
      if (session.host !== host) continue;
      stopTimer();
      this.#kept.delete(session);
      if (session.isIdle) return session;
    }
    return undefined;
  }

  /** Closes what is kept, at the end of the driver. */
  clear(): void {
    for (const session of [...this.#kept.keys()]) this.#close(session);
  }

  #close(session: RemoteSession): void {
    this.#kept.get(session)?.();
    this.#kept.delete(session);
    session.close();
  }
}
