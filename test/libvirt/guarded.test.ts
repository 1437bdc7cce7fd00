import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Deadline } from "../../src/core/deadline.ts";
import { OnevirtError } from "../../src/core/errors.ts";
import { systemClock } from "../../src/host/clock.ts";
import { GuardedHypervisor } from "../../src/libvirt/guarded.ts";
import { GuardedThread } from "../../src/libvirt/guarded-thread.ts";
import type { Thread } from "../../src/libvirt/worker-call.ts";
import { startThread } from "../../src/thread.ts";
import { buildShim, failing, removeShims, type Bodies } from "./shim.ts";

const UUID = "11111111-2222-3333-4444-555555555555";
const place = mkdtempSync(join(tmpdir(), "onevirt-guarded-"));
let round = 0;
/** A file of this test: how C and the test talk to each other. */
const file = (name: string) => join(place, `${round}-${name}`);
const within = (seconds: number) => Deadline.after(seconds, systemClock);

beforeEach(() => {
  round++;
});
afterAll(() => {
  removeShims();
  rmSync(place, { recursive: true, force: true });
});

/** C that waits until the test makes a file; the first time only, when asked to. */
const blocked = (name: string, result: string, { once = false } = {}) => `${once ? "static int asked; if (asked++) " + result : ""} while (access(${JSON.stringify(file(name))}, 0)) usleep(5000); ${result}`;
/** C that leaves a file for the test. */
const leaves = (name: string) => `close(creat(${JSON.stringify(file(name))}, 0600));`;

function open(bodies: Bodies, startWorker: () => Thread = startThread): GuardedHypervisor {
  return new GuardedHypervisor({ uri: "shim:///", startWorker, libraryPaths: [buildShim(bodies)] });
}

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "no error",
    (error: unknown) => (error instanceof OnevirtError ? `${error.code}: ${error.message}` : error),
  );
}

/** Waits for something that another thread does. */
async function until(isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !isSo(); await Bun.sleep(5)) if (performance.now() > end) throw new Error("It did not happen within 10 s");
}

describe("GuardedHypervisor", () => {
  test("GuardedHypervisor gives up a call at its deadline, and serves the next one on a fresh thread", async () => {
    using hypervisor = open({ virDomainLookupByName: blocked("go", "return &object;", { once: true }) });
    await hypervisor.maxMemoryKiB([], within(20)); // the thread stands
    const first = await errorOf(hypervisor.find("one-7", within(0.3))); // before it may go on
    const second = await hypervisor.find("one-7", within(20));
    writeFileSync(file("go"), "");
    expect([first, second?.id]).toEqual(['TIMED_OUT: Cannot find domain "one-7": no answer from shim:/// within 0.3 s', 7]);
  });

  test("GuardedHypervisor left one more thread behind with every call to a daemon that hung, for as long as it hung", async () => {
    let threads = 0;
    const counted = `static int entered; char place[4096]; snprintf(place, sizeof place, "%s-%d", ${JSON.stringify(file("entered"))}, __sync_add_and_fetch(&entered, 1)); close(creat(place, 0600));`;
    using hypervisor = open({ virDomainLookupByName: `${counted} ${blocked("go", "return &object;")}` }, () => (threads++, startThread()));
    while (!existsSync(file("entered-16"))) await errorOf(hypervisor.find("one-7", within(0.3))); // one that was given up before it began comes back at once
    await errorOf(hypervisor.find("one-7", within(0.1)));
    const before = threads;
    const errors = [await errorOf(hypervisor.find("one-7", within(0.1))), await errorOf(hypervisor.find("one-7", within(0.1)))];
    const waiting = hypervisor.find("one-7", within(20));
    writeFileSync(file("go"), "");
    expect([errors, (await waiting)?.id, threads - before]).toEqual([Array(2).fill('TIMED_OUT: Cannot find domain "one-7": no answer from shim:/// within 0.1 s'), 7, 1]);
  });

  test("GuardedHypervisor lets a thread go that nobody has used for long, never during a call, and starts another then", async () => {
    const ended: boolean[] = [];
    const startWorker = () => {
      const thread = startThread();
      const number = ended.push(false) - 1;
      (thread as unknown as Worker).addEventListener("close", () => (ended[number] = true));
      return thread;
    };
    using hypervisor = new GuardedHypervisor({ uri: "shim:///", startWorker, idleSeconds: 0.05, libraryPaths: [buildShim({ virDomainLookupByName: blocked("go", "return &object;", { once: true }) })] });
    const slow = hypervisor.find("one-7", within(10));
    const first = hypervisor.maxMemoryKiB([], within(10)); // waits behind it in the same thread
    await Bun.sleep(150);
    const during = [...ended];
    writeFileSync(file("go"), "");
    await Promise.all([slow, first]);
    await until(() => ended.every(Boolean));
    expect([during, (await hypervisor.find("one-7", within(10)))?.id, ended]).toEqual([[false], 7, [true, false]]);
  });

  test("GuardedHypervisor keeps the first thread responsive while libvirt blocks", async () => {
    using hypervisor = open({ virDomainLookupByName: blocked("go", "return &object;") });
    const call = hypervisor.find("one-7", within(10));
    let ticks = 0;
    for (; ticks < 5; ticks++) await Bun.sleep(1);
    writeFileSync(file("go"), "");
    expect([ticks, (await call)?.name]).toEqual([5, "shim"]);
  });

  test("GuardedThread does not begin what was queued behind a call that was abandoned", async () => {
    const shim = buildShim({
      virDomainLookupByName: `${blocked("go", "return &object;")}`,
      virDomainDestroy: `${leaves("destroyed")} return 0;`,
      virConnectClose: `${leaves("closed")} return 0;`,
    });
    using thread = new GuardedThread("operations", { uri: "shim:///", startWorker: startThread, libraryPaths: [shim] });
    await thread.call("hypervisor", "maxMemoryKiB", [[]], "ask", within(20)); // the thread stands
    const looking = thread.call("hypervisor", "find", ["one-7"], 'find domain "one-7"', within(0.3));
    const destroying = thread.call("hypervisor", "destroy", [UUID], "destroy", within(30));
    const errors = await Promise.all([errorOf(looking), errorOf(destroying)]);
    writeFileSync(file("go"), "");
    await until(() => existsSync(file("closed"))); // the thread is out of libvirt, and has given its connection back
    expect([errors, existsSync(file("destroyed"))]).toEqual([
      ['TIMED_OUT: Cannot find domain "one-7": no answer from shim:/// within 0.3 s', "TIMED_OUT: Cannot wait for libvirt: the thread was abandoned"], false,
    ]);
  });

  test("GuardedHypervisor lets no call wait behind one that hangs: another thread takes it, and those that follow", async () => {
    let threads = 0;
    using hypervisor = open({ virDomainLookupByName: blocked("go", "return &object;") }, () => (threads++, startThread()));
    const hanging = hypervisor.find("one-7", within(30));
    const others = await Promise.all([hypervisor.maxMemoryKiB([], within(10)), hypervisor.maxMemoryKiB([], within(10))]);
    const used = threads;
    await hypervisor.maxMemoryKiB([], within(10));
    const more = threads - used; // a call that has waited in vain starts another thread
    writeFileSync(file("go"), "");
    expect([others.length, used <= 3, more, (await hanging)?.id]).toEqual([2, true, 0, 7]);
  });

  test("GuardedHypervisor abandons one call at a time: what ran beside it answers", async () => {
    using hypervisor = open({ virDomainLookupByName: blocked("go", "return &object;"), virDomainDestroy: `while (access(${JSON.stringify(file("end"))}, 0)) usleep(5000); return 0;` });
    const destroying = hypervisor.destroy(UUID, within(30));
    const looking = await errorOf(hypervisor.find("one-7", within(1.5)));
    writeFileSync(file("end"), "");
    const destroyed = await errorOf(destroying);
    writeFileSync(file("go"), "");
    expect([looking, destroyed]).toEqual([expect.stringMatching(/^TIMED_OUT: Cannot find domain "one-7"/), "no error"]);
  });

  test("GuardedHypervisor abandons, but does not cancel: the call takes effect when it goes on", async () => {
    using hypervisor = open({ virDomainDestroy: `${blocked("go", `${leaves("destroyed")} return 0;`)}` });
    await hypervisor.maxMemoryKiB([], within(20)); // the thread stands
    const error = await errorOf(hypervisor.destroy(UUID, within(0.2)));
    const before = existsSync(file("destroyed"));
    writeFileSync(file("go"), "");
    await until(() => existsSync(file("destroyed")));
    expect([error, before]).toEqual([`TIMED_OUT: Cannot destroy domain ${UUID}: no answer from shim:/// within 0.2 s`, false]);
  });

  test("GuardedHypervisor tells a connection that broke from one that never stood", async () => {
    using broken = open({ virDomainDestroy: `alive = 0; ${failing(38, 7, "End of file while reading data: Input/output error", "-1")}` });
    using refused = open({ virConnectOpen: failing(38, 7, "Failed to connect socket") });
    expect([await errorOf(broken.destroy(UUID, within(20))), await errorOf(refused.destroy(UUID, within(20)))]).toEqual([
      `CONNECTION_LOST: Cannot destroy domain ${UUID}: End of file while reading data: Input/output error`, "LIBVIRT_UNREACHABLE: Cannot connect to shim:///: Failed to connect socket",
    ]);
  });

  test("GuardedHypervisor says LIBVIRT_MISSING with the package to install", async () => {
    using hypervisor = new GuardedHypervisor({ uri: "qemu:///system", startWorker: startThread, libraryPaths: ["/nowhere/libvirt.so.0"] });
    const error = await hypervisor.list(within(5)).catch((thrown: unknown) => thrown as OnevirtError);
    expect(error).toMatchObject({ code: "LIBVIRT_MISSING", hint: "install the package libvirt0 (Debian, Ubuntu) or libvirt-libs (RHEL, AlmaLinux, SUSE)" });
  });

  test("GuardedHypervisor fails at once when its thread cannot run, each time", async () => {
    using hypervisor = open({}, () => new Worker(join(place, "no-such-worker.ts")) as unknown as Thread);
    const start = performance.now();
    const errors = [await errorOf(hypervisor.list(within(20))), await errorOf(hypervisor.list(within(20)))];
    expect([errors, performance.now() - start < 5000]).toEqual([[expect.stringMatching(/^LIBVIRT_FAILED: Cannot run the libvirt thread: /), expect.stringMatching(/^LIBVIRT_FAILED/)], true]);
  });
});

describe("the real client", () => {
  test("GuardedHypervisor gives up a real connection to a daemon that never answers", async () => {
    const socket = join(place, "silent.sock");
    const server = Bun.listen({ unix: socket, socket: { data: () => undefined } });
    using hypervisor = new GuardedHypervisor({ uri: `qemu+unix:///system?socket=${socket}`, startWorker: startThread });
    const errors = [await errorOf(hypervisor.find("one-7", within(0.3))), await errorOf(hypervisor.watchStop(UUID, within(0.3)))];
    server.stop(true); // and the threads get free
    expect(errors).toEqual([expect.stringMatching(/^TIMED_OUT: Cannot find domain "one-7": no answer from qemu\+unix/), expect.stringMatching(/^TIMED_OUT: Cannot listen to events/)]);
  });

  test("17.1 row 1: GuardedHypervisor says unreachable when there is no daemon, never that a domain is gone", async () => {
    using hypervisor = new GuardedHypervisor({ uri: `qemu+unix:///system?socket=${join(place, "absent.sock")}`, startWorker: startThread });
    expect([await errorOf(hypervisor.find("one-7", within(10))), await errorOf(hypervisor.watchStop(UUID, within(10)))]).toEqual([expect.stringMatching(/^LIBVIRT_UNREACHABLE: Cannot connect to qemu/), expect.stringMatching(/^LIBVIRT_UNREACHABLE/)]);
  });

  test("17.1 row 1: GuardedHypervisor says unreachable when the daemon hangs up during the greeting", async () => {
    const socket = join(place, "rude.sock");
    const server = Bun.listen({ unix: socket, socket: { open: (client) => void client.end(), data: () => undefined } });
    using hypervisor = new GuardedHypervisor({ uri: `qemu+unix:///system?socket=${socket}`, startWorker: startThread });
    const error = await errorOf(hypervisor.find("one-7", within(10)));
    server.stop(true);
    expect(error).toMatch(/^LIBVIRT_UNREACHABLE: /);
  });
});

describe("watchStop()", () => {
  const LOOP: Bodies = { virEventRunDefaultImpl: "usleep(5000); return 0;", virEventAddTimeout: "return 3;", virConnectDomainEventRegisterAny: "return 5;" };

  test("watchStop() stops to wait when the connection is lost, and the next one listens afresh", async () => {
    using hypervisor = open({ ...LOOP, virConnectIsAlive: `return access(${JSON.stringify(file("dead"))}, 0) != 0;` });
    using watch = await hypervisor.watchStop(UUID, within(5));
    const start = performance.now();
    writeFileSync(file("dead"), "");
    const heard = await watch.stopped(within(20));
    rmSync(file("dead"));
    using again = await hypervisor.watchStop(UUID, within(5));
    expect([heard, performance.now() - start < 10_000, await again.stopped(within(0.05))]).toEqual([false, true, false]);
  });

  test("watchStop() takes back timer, callback and connection when its thread ends", async () => {
    const hypervisor = open({
      ...LOOP,
      virEventRemoveTimeout: `if (a0 == 3) ${leaves("timer")} return 0;`,
      virConnectDomainEventDeregisterAny: `if (a1 == 5) ${leaves("callback")} return 0;`,
      virConnectClose: `${leaves("closed")} return 0;`,
    });
    using _watch = await hypervisor.watchStop(UUID, within(5));
    hypervisor[Symbol.dispose]();
    await until(() => existsSync(file("closed")));
    expect([existsSync(file("timer")), existsSync(file("callback"))]).toEqual([true, true]);
  });

  test("watchStop() that was given up while it connected never touches the event loop", async () => {
    using hypervisor = open({ ...LOOP, virConnectOpenReadOnly: blocked("go", "return &object;"), virEventAddTimeout: `${leaves("timer")} return 3;`, virConnectClose: `${leaves("closed")} return 0;` });
    const error = await errorOf(hypervisor.watchStop(UUID, within(0.2)));
    writeFileSync(file("go"), "");
    await until(() => existsSync(file("closed")));
    expect([error, existsSync(file("timer"))]).toEqual(["TIMED_OUT: Cannot listen to events: no answer from shim:///", false]);
  });

  test("watchStop() can follow on another in one process: libvirt's loop is one, its callbacks are not", () => {
    const script = `
      import { GuardedHypervisor } from "./src/libvirt/guarded.ts";
      import { startThread } from "./src/thread.ts";
      import { systemClock } from "./src/host/clock.ts";
      import { Deadline } from "./src/core/deadline.ts";
      const within = (s) => Deadline.after(s, systemClock);
      const xml = "<domain type='test'><name>a</name><uuid>${UUID}</uuid><memory>65536</memory><os><type>hvm</type></os></domain>";
      using keep = new GuardedHypervisor({ uri: "test:///default", startWorker: startThread });
      await keep.list(within(5));
      for (let round = 0; round < 3; round++) {
        using hypervisor = new GuardedHypervisor({ uri: "test:///default", startWorker: startThread });
        await keep.create(xml, within(5));
        using watch = await hypervisor.watchStop("${UUID}", within(5));
        await keep.destroy("${UUID}", within(5));
        console.log(await watch.stopped(within(5)));
      }
      process.exit(0);`;
    const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, "-e", script], { cwd: join(import.meta.dir, "../..") });
    expect([stdout.toString(), stderr.toString(), exitCode]).toEqual(["true\ntrue\ntrue\n", "", 0]);
  });
});
