/** How many actions may work, and where (driver-protocol.md 8, 18.4). */
export interface Bounds {
  /** Actions that work at once, `-t`. */
  readonly threads: number;
  /** Several actions on one host, `-p`. */
  readonly parallel: boolean;
}

/** Actions that may be begun at once, connecting ones included: the bound on processes. */
export function mostOpen(threads: number): number {
  return Math.max(64, 4 * threads);
}

/** No host may hold all places, so that a host whose scripts hang leaves some to the others; small numbers cannot be divided. */
export function mostWorkingPerHost(threads: number): number {
  return threads < 4 ? threads : threads - Math.floor(threads / 4);
}

interface Waiting {
  readonly id: string;
  readonly host: string | undefined;
  readonly begin: () => void;
  readonly drop: () => void;
}

/**
 * Requests wait here, first come, first served, except that a host which may take no more is overtaken by the others.
 * Keyed by the request itself: neither VM ids nor host names can release what another holds (driver-protocol.md 8, defects 1 to 3).
 */
export class Queue {
  readonly #waiting: Waiting[] = [];
  readonly #openByHost = new Map<string, number>();
  #open = 0;
  #isClosed = false;

  constructor(private readonly bounds: Bounds) {}

  /** Calls `begin` now or later with the way to give the place back, or `drop` when it never will. */
  add(id: string, host: string | undefined, begin: (release: () => void) => void, drop: () => void = () => undefined): void {
    if (this.#isClosed) return drop();
    this.#waiting.push({ id, host, begin: () => begin(this.#take(host)), drop });
    this.#next();
  }

  /** Whether a request for this host waits. */
  waitsFor(host: string): boolean {
    return this.#waiting.some((waiting) => waiting.host === host);
  }

  /** Takes out the first waiting request of this VM; says whether there was one. */
  remove(id: string): boolean {
    const at = this.#waiting.findIndex((waiting) => sameId(waiting.id, id));
    if (at >= 0) for (const waiting of this.#waiting.splice(at, 1)) waiting.drop();
    return at >= 0;
  }

  /** Drops what waits and lets nobody in again. */
  close(): void {
    this.#isClosed = true;
    for (const waiting of this.#waiting.splice(0)) waiting.drop();
  }

  #next(): void {
    for (let at = 0; at < this.#waiting.length && this.#open < mostOpen(this.bounds.threads); ) {
      const waiting = this.#waiting[at];
      if (!waiting || !this.#admits(waiting.host)) at += 1;
      else {
        this.#waiting.splice(at, 1);
        waiting.begin();
      }
    }
  }

  #admits(host: string | undefined): boolean {
    if (host === undefined) return true;
    return (this.#openByHost.get(host) ?? 0) < (this.bounds.parallel ? this.bounds.threads : 1);
  }

  #take(host: string | undefined): () => void {
    this.#count(host, 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#count(host, -1);
      this.#next();
    };
  }

  #count(host: string | undefined, by: 1 | -1): void {
    this.#open += by;
    if (host === undefined) return;
    const now = (this.#openByHost.get(host) ?? 0) + by;
    if (now === 0) this.#openByHost.delete(host);
    else this.#openByHost.set(host, now);
  }
}

/** Ids are compared as numbers, as oned means them: 0007 is 7. */
export function sameId(one: string, other: string): boolean {
  return one === other || (/^\d+$/.test(one) && /^\d+$/.test(other) && BigInt(one) === BigInt(other));
}
