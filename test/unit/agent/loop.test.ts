import { describe, expect, test } from "bun:test";
import { Loop } from "../../../src/agent/loop.ts";
import { HandClock, settled } from "./clock.ts";

/** A loop of 10 s, and the seconds at which its passes began. */
function loopOf(work: (pass: number, clock: HandClock) => Promise<void> = async () => undefined) {
  const clock = new HandClock();
  const began: number[] = [];
  const loop = new Loop("x", 10, clock, () => work(began.push(clock.monotonicMs() / 1000), clock));
  void loop.run();
  return { loop, clock, began };
}

describe("Loop", () => {
  test("Loop begins at once, and keeps its period however long a pass takes", async () => {
    const { loop, clock, began } = loopOf((_pass, its) => its.sleep(4000));
    await clock.pass(31);
    loop.stop();
    expect(began).toEqual([0, 10, 20, 30]);
  });

  test("Loop whose pass takes longer than the period begins again at once", async () => {
    const { loop, clock, began } = loopOf((_pass, its) => its.sleep(15_000));
    await clock.pass(31);
    loop.stop();
    expect(began).toEqual([0, 15, 30]);
  });

  test("Loop tries again after 1, 1, 1, 2, 4, 8, 8, 16, 32, 64 and 64 s, and forgets that after a success", async () => {
    const { loop, clock, began } = loopOf(async (pass) => {
      if (pass !== 12 && pass < 14) throw new Error("nobody there");
    });
    await clock.pass(230);
    loop.stop();
    expect(began.map((at, index) => at - (began[index - 1] ?? 0)).slice(1)).toEqual([1, 1, 1, 2, 4, 8, 8, 16, 32, 64, 64, 9, 1, 9, 10]);
  });

  test("Loop is woken by a question, and by one that comes during a pass", async () => {
    const { loop, clock, began } = loopOf((pass, its) => its.sleep(pass === 2 ? 2000 : 0));
    await clock.pass(3);
    loop.ask();
    await clock.pass(1);
    loop.ask();
    loop.ask();
    await clock.pass(3);
    loop.stop();
    expect(began).toEqual([0, 3, 5]);
  });

  test("Loop keeps to multiples of its period after a pass in between, and loops that began together meet", async () => {
    const { loop, clock, began } = loopOf();
    await clock.pass(3);
    loop.ask();
    await clock.pass(26.5);
    loop.ask(); // so near to 30 that it stands for it
    await clock.pass(11);
    loop.stop();
    expect(began).toEqual([0, 3, 10, 20, 29.5, 40]);
  });

  test("Loop ends when it is stopped", async () => {
    const { loop, clock, began } = loopOf();
    await clock.pass(1);
    loop.stop();
    await settled();
    await clock.pass(100);
    expect([began, loop.lastSuccessMs]).toEqual([[0], 0] as unknown as [number[], number]);
  });
});
