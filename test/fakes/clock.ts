import type { Deadline } from "../../src/core/deadline.ts";
import type { Clock } from "../../src/core/ports.ts";

interface Timer {
  readonly at: number;
  readonly work: () => void;
}

/** Time that passes only when somebody sleeps. What is planned with `after` happens on the way. */
export class FakeClock implements Clock {
  /** Lengths of all sleeps, milliseconds. */
  readonly sleeps: number[] = [];
  /** Added to the wall clock only, milliseconds: somebody has set it. */
  step = 0;
  #now = 0;
  #timers: readonly Timer[] = [];

  constructor(private readonly startMs = Date.parse("2026-01-02T03:04:05Z")) {}

  monotonicMs(): number {
    return this.#now;
  }

  nowMs(): number {
    return this.startMs + this.#now + this.step;
  }

  async sleep(ms: number): Promise<void> {
    this.sleeps.push(ms);
    this.pass(ms);
  }

  /** Plans something for `ms` from now. */
  after(ms: number, work: () => void): void {
    this.#timers = [...this.#timers, { at: this.#now + ms, work }].sort((a, b) => a.at - b.at);
  }

  /** Lets time pass, and what was planned happen. */
  pass(ms: number): void {
    if (!(ms < Infinity)) throw new Error("FakeClock: this would wait for ever");
    const end = this.#now + Math.max(0, ms);
    for (let timer = this.#due(end); timer; timer = this.#due(end)) {
      this.#now = timer.at;
      timer.work();
    }
    this.#now = end;
  }

  /** Lets time pass until something is so, or until the deadline; says whether it came to be. */
  passUntil(isSo: () => boolean, deadline: Deadline): boolean {
    while (!isSo() && !deadline.expired) {
      const [next] = this.#timers;
      this.pass(Math.min(deadline.remainingMs(), next ? next.at - this.#now : Infinity));
    }
    return isSo();
  }

  #due(end: number): Timer | undefined {
    const [first, ...rest] = this.#timers;
    if (!first || first.at > end) return undefined;
    this.#timers = rest;
    return first;
  }
}
