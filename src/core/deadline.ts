import type { Clock } from "./ports.ts";

/** A moment after which waiting ends. One deadline is handed down through all steps of an action, so that their sum is bounded. */
export class Deadline {
  private constructor(
    private readonly clock: Clock,
    private readonly at: number,
  ) {}

  /** Ends `seconds` from now; `null` never ends (save, restore, migrate unless the administrator sets a limit). */
  static after(seconds: number | null, clock: Clock): Deadline {
    return new Deadline(clock, seconds === null ? Infinity : clock.monotonicMs() + seconds * 1000);
  }

  /** Milliseconds left: 0 when it has passed, Infinity when it never ends. */
  remainingMs(): number {
    return Math.max(0, this.at - this.clock.monotonicMs());
  }

  get expired(): boolean {
    return this.remainingMs() === 0;
  }

  /** The earlier of this deadline and `seconds` from now. */
  within(seconds: number): Deadline {
    return new Deadline(this.clock, Math.min(this.at, this.clock.monotonicMs() + seconds * 1000));
  }
}
