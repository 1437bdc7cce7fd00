import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Deadline } from "../../../src/core/deadline.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { HostFiles } from "../../../src/host/files.ts";
import { GuardedThread } from "../../../src/libvirt/guarded-thread.ts";
import type { Message, Reply, Request } from "../../../src/libvirt/protocol.ts";
import type { Thread } from "../../../src/libvirt/worker-call.ts";
import { Frames } from "../../../src/resident/frames.ts";
import { ResidentServer } from "../../../src/resident/server.ts";
import { isServed, ResidentThread } from "../../../src/resident/thread.ts";

/** A thread that answers each request with what `serve` makes of it; undefined is no answer. */
class ScriptedThread implements Thread {
  onmessage: Thread["onmessage"] = null;
  onerror: Thread["onerror"] = null;
  readonly seen: Message[] = [];

  constructor(private readonly serve: (request: Request) => unknown) {}

  postMessage(message: Message): void {
    this.seen.push(message);
    if (typeof message !== "object" || !("operation" in message)) return;
    const result = this.serve(message);
    if (result !== undefined) queueMicrotask(() => this.onmessage?.({ data: { id: message.id, result } } as MessageEvent<Reply>));
  }
  /** Calls that have come. */
  get asked(): number {
    return this.seen.filter((message) => typeof message === "object" && "operation" in message).length;
  }

  unref(): void {}
}

interface Scene extends Disposable {
  readonly path: string;
  /** Threads that the agent started. */
  readonly agents: ScriptedThread[];
  /** Threads that the action started by itself. */
  readonly own: ScriptedThread[];
  agent(serve: (request: Request) => unknown, idleMs?: number): ResidentServer;
  action(): GuardedThread<"operations">;
  longAction(): GuardedThread<"long">;
}

/** An agent in this very process greets when it is its turn, which a busy machine may take its time for. */
const GREETING_MS = 10_000;

function scene(greetingMs = GREETING_MS): Scene {
  const directory = mkdtempSync(join(tmpdir(), "resident-"));
  const path = join(directory, "libvirt.sock");
  const agents: ScriptedThread[] = [];
  const own: ScriptedThread[] = [];
  const open: Disposable[] = [];
  const start = (list: ScriptedThread[], serve: (request: Request) => unknown) => () => {
    const thread = new ScriptedThread(serve);
    list.push(thread);
    return thread;
  };
  const options = { uri: "test:///default", startWorker: () => new ResidentThread(path, start(own, () => "by itself"), greetingMs) };
  return {
    path, agents, own,
    agent: (serve, idleMs) => keep(open, new ResidentServer(path, new HostFiles(), start(agents, serve), idleMs)),
    action: () => keep(open, new GuardedThread("operations", options)),
    longAction: () => keep(open, new GuardedThread("long", options)),
    [Symbol.dispose]: () => {
      for (const each of open.reverse()) each[Symbol.dispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

function keep<T extends Disposable>(list: Disposable[], each: T): T {
  list.push(each);
  return each;
}

const within = (seconds: number) => Deadline.after(seconds, systemClock);
const until = async (isSo: () => boolean) => {
  for (const end = performance.now() + 10_000; !isSo(); await Bun.sleep(5)) if (performance.now() > end) throw new Error("It did not happen within 10 s");
};
const ask = (thread: GuardedThread<"operations">, seconds = 5) => thread.call("hypervisor", "versions", [], "ask", within(seconds)) as Promise<unknown>;

describe("resident", () => {
  test("an action is served by the agent's thread, and starts none of its own", async () => {
    using here = scene();
    here.agent(({ operation }) => ({ operation, big: 1n << 60n }));
    expect(await ask(here.action())).toEqual({ operation: "versions", big: 1n << 60n });
    expect({ agents: here.agents.length, own: here.own.length }).toEqual({ agents: 1, own: 0 });
  });

  test("the next action gets the same thread, with its connection", async () => {
    using here = scene();
    here.agent(() => "yes");
    const first = here.action();
    await ask(first);
    first[Symbol.dispose]();
    await Bun.sleep(30);
    await ask(here.action());
    expect(here.agents.length).toBe(1);
  });

  test("long calls get a thread of their own, and keep it from the short ones", async () => {
    using here = scene();
    here.agent(({ operation }) => operation);
    const list = (thread: GuardedThread<"long">) => thread.call("snapshots", "names", ["u"], "list", within(5)) as Promise<unknown>;
    const first = here.longAction();
    const answers = [await list(first), await ask(here.action())];
    first[Symbol.dispose]();
    await Bun.sleep(30);
    answers.push(await list(here.longAction()));
    const roles = here.agents.map(({ seen }) => seen.flatMap((message) => (typeof message === "object" && "role" in message ? [message.role] : [])));
    expect([answers, roles, here.own.length]).toEqual([["names", "versions", "names"], [["long"], ["operations"]], 0]);
  });

  test("what defines, listens or migrates is not served", () => {
    const start = { uri: "test:///default", readOnly: false, trace: undefined, end: new Int32Array(1) };
    expect((["operations", "long", "jobs", "migration", "judge", "listener"] as const).filter((role) => isServed({ ...start, role }))).toEqual(["operations", "long"]);
  });

  test("a thread that nobody has borrowed for long ends, and the next action gets another", async () => {
    using here = scene();
    here.agent(() => "yes", 20);
    const first = here.action();
    await ask(first);
    const during = here.agents[0]?.seen.includes("stop");
    first[Symbol.dispose]();
    await until(() => here.agents[0]?.seen.includes("stop") === true);
    await ask(here.action());
    expect([during, here.agents.map(({ seen }) => seen.includes("stop"))]).toEqual([false, [true, false]]);
  });

  test("without an agent the action works by itself", async () => {
    using here = scene();
    expect(await ask(here.action())).toBe("by itself");
  });

  test("an agent that does not greet is not waited for", async () => {
    using here = scene(60);
    const silent = Bun.listen({ unix: here.path, socket: { data: () => undefined } });
    expect(await ask(here.action())).toBe("by itself");
    silent.stop(true);
  });

  test("an agent that ends during a call is a lost connection, and the call is not made twice", async () => {
    using here = scene();
    const agent = here.agent(() => undefined);
    const action = here.action();
    const answer = action.call("hypervisor", "reset", ["u"], "reset", within(5)).catch((error: unknown) => error);
    await until(() => here.agents[0]?.asked === 1);
    agent[Symbol.dispose]();
    expect(await answer).toMatchObject({ code: "CONNECTION_LOST" });
    expect(here.own.map(({ asked }) => asked)).toEqual([0]);
    expect(await ask(action)).toBe("by itself");
  });

  test("what only looks is asked again, by the action itself, when the agent ends during the call", async () => {
    using here = scene();
    const agent = here.agent(() => undefined);
    const answer = ask(here.action());
    await until(() => here.agents[0]?.asked === 1);
    agent[Symbol.dispose]();
    expect([await answer, here.own.map(({ asked }) => asked)]).toEqual(["by itself", [1]]);
  });

  test("a thread left during a call is not given to anybody else", async () => {
    using here = scene();
    here.agent(({ operation }) => (operation === "list" ? undefined : "fresh"));
    const stuck = here.action();
    const asked = stuck.call("hypervisor", "list", [], "list", within(1)).catch(() => undefined);
    await until(() => here.agents[0]?.asked === 1);
    await asked;
    expect(await ask(here.action())).toBe("fresh");
    expect(here.agents.length).toBe(2);
  });

  test("at most eight threads are lent, and who comes then works by himself", async () => {
    using here = scene();
    here.agent(({ operation }) => (operation === "list" ? undefined : "lent"));
    const waiting = Array.from({ length: 8 }, () => here.action().call("hypervisor", "list", [], "list", within(3)).catch(() => "late"));
    await until(() => here.agents.length === 8 && here.agents.every(({ asked }) => asked === 1));
    expect(await ask(here.action())).toBe("by itself");
    expect(here.agents.length).toBe(8);
    await Promise.all(waiting);
  });
});

describe("frames", () => {
  test("messages survive every cut of the stream, and a socket that takes one byte at a time", () => {
    const sent: number[] = [];
    const writer = new Frames();
    const slow = { write: (bytes: Uint8Array) => (sent.push(bytes[0] ?? 0), 1) };
    const messages = [{ id: 1, result: { a: 1n, b: undefined } }, "ready"];
    for (const message of messages) writer.send(slow, message);
    while (sent.length < 10_000) {
      const before = sent.length;
      writer.drain(slow);
      if (sent.length === before) break;
    }
    const reader = new Frames();
    expect(sent.flatMap((byte) => reader.receive(Uint8Array.of(byte)))).toEqual(messages);
  });

  test("a length that cannot be is refused", () => {
    expect(() => new Frames().receive(Uint8Array.of(255, 255, 255, 255))).toThrow("Cannot read a frame");
  });
});
