import { describe, expect, test } from "bun:test";
import { CapturedOutput } from "../../../src/driver/captured-output.ts";
import type { CommandOutcome, RunningCommand } from "../../../src/driver/local-command.ts";
import type { Timers } from "../../../src/driver/ports.ts";
import { supervise } from "../../../src/driver/supervise.ts";

/** Time that passes only when it is told to. */
class FakeTimers implements Timers {
  #now = 0;
  #set = new Map<number, { readonly at: number; readonly run: () => void }>();
  #next = 0;

  nowMs(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const key = this.#next++;
    this.#set.set(key, { at: this.#now + ms, run });
    return () => this.#set.delete(key);
  }

  get pending(): number {
    return this.#set.size;
  }

  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const [key, next] = [...this.#set].filter(([, { at }]) => at <= end).toSorted(([, one], [, other]) => one.at - other.at)[0] ?? [];
      if (key === undefined || !next) break;
      this.#set.delete(key);
      this.#now = next.at;
      next.run();
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    }
    this.#now = end;
  }
}

const DONE: CommandOutcome = { code: 0, stdout: "", stderr: "" };

function command(onTerminate: (finish: (outcome: CommandOutcome) => void) => void = () => undefined, onKill = onTerminate) {
  const said: string[] = [];
  const { promise, resolve } = Promise.withResolvers<CommandOutcome>();
  const running: RunningCommand = {
    finished: promise,
    terminate: () => (said.push("TERM"), onTerminate(resolve)),
    kill: () => (said.push("KILL"), onKill(resolve)),
    sweep: () => void said.push("sweep"),
    abandon: () => void said.push("abandon"),
  };
  return { running, said, finish: resolve };
}

const watch = { limitSeconds: 100 as number | undefined, signal: new AbortController().signal, graceSeconds: () => 5, notice: () => undefined };

describe("supervise", () => {
  test("gives the outcome of a command in time, and leaves no timer", async () => {
    const timers = new FakeTimers();
    const { running, said, finish } = command();
    const ended = supervise(running, watch, timers);
    finish(DONE);
    expect([await ended, said, timers.pending]).toEqual([{ why: "finished", outcome: DONE }, [], 0]);
  });

  test("says what is waited for after 30 s, then ever more rarely", async () => {
    const timers = new FakeTimers();
    const notices: number[] = [];
    const { running, finish } = command();
    const ended = supervise(running, { ...watch, limitSeconds: undefined, notice: (seconds) => notices.push(seconds) }, timers);
    await timers.pass(10_000_000);
    finish(DONE);
    await ended;
    expect(notices).toEqual([30, 120, 480, 1920, 7680]);
  });

  test("sends TERM at the limit, and sweeps up after a command that obeys", async () => {
    const timers = new FakeTimers();
    const { running, said } = command((finish) => finish(DONE));
    const ended = supervise(running, watch, timers);
    await timers.pass(100_000);
    expect([await ended, said, timers.pending]).toEqual([{ why: "limit", outcome: DONE }, ["TERM", "sweep"], 0]);
  });

  test("sends KILL after the grace, and gives up a command that not even that ends", async () => {
    const timers = new FakeTimers();
    const { running, said } = command();
    const ended = supervise(running, watch, timers);
    await timers.pass(107_000);
    expect([await ended, said, timers.pending]).toEqual([{ why: "limit", outcome: undefined }, ["TERM", "KILL", "abandon"], 0]);
  });

  test("ends a command that nobody wants any more, also when that was so before", async () => {
    const control = new AbortController();
    control.abort();
    const { running, said } = command((finish) => finish(DONE));
    expect(await supervise(running, { ...watch, signal: control.signal }, new FakeTimers())).toEqual({ why: "signal", outcome: DONE });
    expect(said).toEqual(["TERM", "sweep"]);
  });
});

describe("CapturedOutput", () => {
  test("keeps the beginning and the end of what is too long", () => {
    const output = new CapturedOutput();
    for (let number = 0; number < 100_000; number += 1) output.push(Buffer.from(`${number}\n`));
    const text = output.text();
    expect([text.startsWith("0\n1\n"), text.endsWith("99999\n"), /… \d+ bytes left out …/.test(text), text.length < 200_000]).toEqual([true, true, true, true]);
  });

  test("keeps a character whole that arrives in two chunks", () => {
    const output = new CapturedOutput();
    for (const byte of Buffer.from("é€")) output.push(Uint8Array.of(byte));
    expect(output.text()).toBe("é€");
  });
});
