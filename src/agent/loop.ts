import type { Clock } from "../core/ports.ts";

/** Seconds between tries while nobody takes the messages (monitoring.md 4.6). */
const BACK_OFF = [1, 1, 1, 2, 4, 8, 8, 16, 32, 64] as const;

/** A pass this part of a period before a multiple of it stands for the one that was due there: timers are early now and then. */
const NEARLY = 0.1;

/**
 * One loop: passes at a period, at once when something asks for one, and slower while sending fails. Passes fall on multiples of the
 * period since the first one, also after a pass in between, so that loops that began together meet: to wake up once for all of them costs
 * less than once for each.
 */
export class Loop {
  /** When the last pass ended well, and when one began; monotonic ms. */
  lastSuccessMs: number | undefined;
  #failures = 0;
  #wake: () => void = () => undefined;
  #asked = false;
  #stopped = false;

  constructor(
    readonly name: string,
    readonly periodSeconds: number,
    private readonly clock: Clock,
    /** One pass; throws when its result could not be sent. */
    private readonly work: () => Promise<void>,
  ) {}

  /** Asks for a pass now, or right after the one that runs. */
  ask(): void {
    this.#asked = true;
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  /** Runs until it is stopped; the first pass comes after a delay. */
  async run(delayMs = 0): Promise<void> {
    const origin = this.clock.monotonicMs() + delayMs;
    await this.#wait(delayMs);
    while (!this.#stopped) {
      const start = this.clock.monotonicMs();
      this.#asked = false;
      await this.#wait((await this.#pass()) ? this.#restMs(start - origin, start) : this.#backOffMs());
    }
  }

  async #pass(): Promise<boolean> {
    try {
      await this.work();
      this.#failures = 0;
      this.lastSuccessMs = this.clock.monotonicMs();
      return true;
    } catch {
      this.#failures++; // the sender has counted it, and the caller has said why
      return false;
    }
  }

  /** Until the next multiple of the period; nothing is left after a pass that took longer. */
  #restMs(sinceFirst: number, start: number): number {
    const periodMs = this.periodSeconds * 1000;
    const next = (Math.floor(sinceFirst / periodMs + NEARLY) + 1) * periodMs;
    return next - sinceFirst - (this.clock.monotonicMs() - start);
  }

  #backOffMs(): number {
    return (BACK_OFF[Math.min(this.#failures, BACK_OFF.length) - 1] ?? 1) * 1000;
  }

  async #wait(ms: number): Promise<void> {
    if (this.#asked || this.#stopped || ms <= 0) return;
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    await Promise.race([this.clock.sleep(ms), woken]);
    this.#wake = () => undefined;
  }
}
