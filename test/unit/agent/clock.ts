import type { Clock } from "../../../src/core/ports.ts";

/** Time that passes when the test says so; sleepers wake on the way, and what they begin is let to its end. */
export class HandClock implements Clock {
  /** Added to the wall clock only, as a step of ntpd. */
  step = 0;
  #now = 0;
  #sleepers: readonly { readonly at: number; readonly wake: () => void }[] = [];

  monotonicMs(): number {
    return this.#now;
  }

  nowMs(): number {
    return 1_700_000_000_000 + this.#now + this.step;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => (this.#sleepers = [...this.#sleepers, { at: this.#now + ms, wake }].sort((a, b) => a.at - b.at)));
  }

  async pass(seconds: number): Promise<void> {
    const end = this.#now + seconds * 1000;
    await settled();
    for (let [first] = this.#sleepers; first && first.at <= end; [first] = this.#sleepers) {
      this.#sleepers = this.#sleepers.slice(1);
      this.#now = Math.max(this.#now, first.at);
      first.wake();
      await settled();
    }
    this.#now = end;
  }
}

/** All that can happen without time has happened; probes are loaded on first use. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
