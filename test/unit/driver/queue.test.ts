import { describe, expect, test } from "bun:test";
import { Queue, sameId } from "../../../src/driver/queue.ts";
import { Slots } from "../../../src/driver/slots.ts";

describe("Queue", () => {
  const fill = (queue: Queue, entries: readonly (readonly [string, string | undefined])[]) => {
    const begun: string[] = [];
    const release = new Map<string, () => void>();
    for (const [id, host] of entries) {
      queue.add(id, host, (give) => {
        begun.push(id);
        release.set(id, give);
      });
    }
    return { begun, end: (id: string) => release.get(id)?.() };
  };

  test("without -p a busy host is overtaken, and its turn comes", () => {
    const { begun, end } = fill(new Queue({ threads: 15, parallel: false }), [["11", "a"], ["12", "a"], ["13", "b"]]);
    expect(begun).toEqual(["11", "13"]);
    end("11");
    end("11");
    expect(begun).toEqual(["11", "13", "12"]);
  });

  test("the end of one action of a VM releases its own host only", () => {
    const { begun, end } = fill(new Queue({ threads: 15, parallel: false }), [["7", "a"], ["7", "b"], ["21", "a"], ["22", "b"]]);
    end("7"); // the later of the two: b
    expect(begun).toEqual(["7", "7", "22"]);
  });

  test("a request without a host waits for nobody", () => {
    expect(fill(new Queue({ threads: 1, parallel: false }), [["1", "a"], ["2", undefined], ["3", undefined]]).begun).toEqual(["1", "2", "3"]);
  });

  test("there is a bound on what is begun", () => {
    const { begun } = fill(new Queue({ threads: 2, parallel: true }), Array.from({ length: 200 }, (_, id) => [String(id), `h${id}`] as const));
    expect(begun.length).toBe(64);
  });

  test("a waiting request can be taken out by any form of its id", () => {
    const queue = new Queue({ threads: 15, parallel: false });
    const { begun, end } = fill(queue, [["1", "a"], ["0007", "a"], ["8", "a"]]);
    expect([queue.remove("7"), queue.remove("7")]).toEqual([true, false]);
    end("1");
    expect(begun).toEqual(["1", "8"]);
  });

  test("after close nobody begins", () => {
    const queue = new Queue({ threads: 15, parallel: false });
    const { begun, end } = fill(queue, [["1", "a"], ["2", "a"]]);
    queue.close();
    end("1");
    expect([...begun, ...fill(queue, [["3", "b"]]).begun]).toEqual(["1"]);
  });

  test("ids are numbers when they look like it", () => {
    expect([sameId("7", "007"), sameId("a", "a"), sameId("a", "b"), sameId("7", "7a")]).toEqual([true, true, false, false]);
  });
});

describe("Slots", () => {
  const never = new AbortController().signal;

  test("hold as many as there are, and no host all of them", async () => {
    const slots = new Slots(4);
    const entered: string[] = [];
    const claims = ["a", "a", "a", "a", "b"].map((host) => ({ host, claim: slots.claim(host) }));
    for (const { host, claim } of claims) void claim.hold(never).then(() => entered.push(host));
    await Promise.resolve().then(() => undefined);
    await Bun.sleep(0);
    expect(entered).toEqual(["a", "a", "a", "b"]);
    claims[0]?.claim.lend();
    await Bun.sleep(0);
    expect(entered).toEqual(["a", "a", "a", "b", "a"]);
  });

  test("a claim holds one place however often it asks, and gives it back once", async () => {
    const slots = new Slots(1);
    const first = slots.claim("a");
    expect([await first.hold(never), await first.hold(never)]).toEqual([true, true]);
    first.lend();
    first.lend();
    const [second, third] = [slots.claim("a"), slots.claim("a")];
    expect(await second.hold(never)).toBe(true);
    const control = new AbortController();
    const waiting = third.hold(control.signal);
    control.abort();
    expect(await waiting).toBe(false);
    second.lend();
    expect(await slots.claim("a").hold(never)).toBe(true);
  });
});
