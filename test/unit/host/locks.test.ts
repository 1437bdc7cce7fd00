import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Deadline } from "../../../src/core/deadline.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { HostLocks } from "../../../src/host/locks.ts";

const UUID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const TOP = join(import.meta.dir, "../../..");
let place: string;
let locks: HostLocks;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "onevirt-locks-"));
  locks = new HostLocks(join(place, "locks"), systemClock);
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

const within = (seconds: number) => Deadline.after(seconds, systemClock);
const left = () => readdirSync(join(place, "locks"));

/** Another process that holds the lock until it is told to end; `ready` when it has it. */
async function otherProcess(uuid: string, name: string, action: string) {
  const script = `
    import { HostLocks } from "./src/host/locks.ts";
    import { systemClock } from "./src/host/clock.ts";
    import { Deadline } from "./src/core/deadline.ts";
    const lock = await new HostLocks(${JSON.stringify(join(place, "locks"))}, systemClock).acquire(${JSON.stringify(uuid)}, ${JSON.stringify(name)}, ${JSON.stringify(action)}, Deadline.after(20, systemClock));
    console.log("locked");
    for await (const _ of Bun.stdin.stream()) break;
    lock[Symbol.dispose]();`;
  const child = Bun.spawn([process.execPath, "-e", script], { cwd: TOP, stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  await child.stdout.getReader().read();
  return child;
}

const busyOf = (work: Promise<unknown>): Promise<string> => work.then(() => "acquired" as string, (error: OnevirtError) => `${error.code}: ${error.message}`);

describe("HostLocks", () => {
  test("HostLocks keeps a second process out, and tells it and everybody who is inside", async () => {
    const child = await otherProcess(UUID, "one-7", "deploy");
    const refused = await busyOf(locks.acquire(UUID, "one-7", "cancel", within(0.1)));
    const holder = { action: "deploy", uuid: UUID, name: "one-7", pid: child.pid, since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) };
    const seen = [locks.holder(UUID), locks.holder(UUID.toUpperCase()), locks.holder("one-7"), locks.holder("one-8"), locks.holders()];
    child.stdin.write("go");
    child.stdin.end();
    using _lock = await locks.acquire(UUID, "one-7", "cancel", within(10));
    expect([refused, seen, locks.holder("one-7")?.action]).toEqual([expect.stringMatching(new RegExp(`^BUSY: Cannot lock "one-7": "deploy" of process ${child.pid} has been in progress since `)), [holder, holder, holder, undefined, [holder]], "cancel"]);
    await child.exited;
  });

  test("HostLocks is free at once when its holder is killed, and shows nobody", async () => {
    const child = await otherProcess(UUID, "one-7", "shutdown");
    child.kill("SIGKILL");
    await child.exited;
    const holders = locks.holders();
    using _lock = await locks.acquire(UUID, "one-7", "cancel", within(0));
    expect([holders, locks.holder(UUID)?.action, left()]).toEqual([[], "cancel", [`${UUID}.lock`]]);
  });

  test("HostLocks takes over a file that somebody has left, whatever it holds", async () => {
    (await locks.acquire(UUID, "one-7", "deploy", within(1)))[Symbol.dispose]();
    writeFileSync(join(place, "locks", `${UUID}.lock`), "garbage");
    const before = locks.holders();
    using _lock = await locks.acquire(UUID, "one-7", "cancel", within(0));
    expect([before, locks.holders().map(({ action }) => action)]).toEqual([[], ["cancel"]]);
  });

  test("HostLocks leaves nothing behind, neither of a lock nor of a try", async () => {
    const lock = await locks.acquire(UUID, "one-7", "deploy", within(1));
    const refused = await busyOf(locks.acquire(UUID, "one-7", "reset", within(0)));
    const during = left();
    lock[Symbol.dispose]();
    expect([refused.slice(0, 5), during, left()]).toEqual(["BUSY:", [`${UUID}.lock`], []]);
  });

  test("HostLocks lets two VMs pass, and never two actions of one", async () => {
    let [inside, most, passed] = [0, 0, 0];
    const worker = async () => {
      using _lock = await locks.acquire(UUID, "one-7", "reset", within(20));
      most = Math.max(most, ++inside);
      await Bun.sleep(1);
      inside--;
      passed++;
    };
    using _other = await locks.acquire("11111111-2222-4333-8444-555555555555", "one-8", "deploy", within(1));
    await Promise.all(Array.from({ length: 6 }, worker));
    expect([most, passed]).toEqual([1, 6]);
  });

  test("HostLocks takes a VM that is known by its name alone for the same VM", async () => {
    const byName = await locks.acquire("", "one-7", "deploy", within(1));
    const refused = await busyOf(locks.acquire(UUID, "one-7", "shutdown", within(0)));
    byName[Symbol.dispose]();
    using _lock = await locks.acquire(UUID, "one-7", "shutdown", within(0));
    expect([refused.startsWith('BUSY: Cannot lock "one-7": "deploy" of process '), await busyOf(locks.acquire("", "one-7", "deploy", within(0)))]).toEqual([true, expect.stringContaining('"shutdown" of process ')]);
  });

  test("HostLocks makes a file of any name, inside its directory", async () => {
    using _lock = await locks.acquire("", "../../x\0 ünï", "deploy", within(0));
    expect([existsSync(join(place, "x.lock")), left().length, locks.holder("../../x\0 ünï")?.action]).toEqual([false, 1, "deploy"]);
  });

  test("HostLocks says what to do when its directory cannot be made", async () => {
    writeFileSync(join(place, "file"), "");
    const error = await new HostLocks(join(place, "file", "locks"), systemClock).acquire(UUID, "one-7", "deploy", within(0)).catch((thrown: unknown) => thrown as OnevirtError);
    expect(error).toMatchObject({ code: "FILE_FAILED", hint: "set LOCK_DIRECTORY in onevirt.conf to a directory that oneadmin may write" });
  });

  test("HostLocks is not kept by a program that its holder started", async () => {
    const script = `
      import { HostLocks } from "./src/host/locks.ts";
      import { systemClock } from "./src/host/clock.ts";
      import { Deadline } from "./src/core/deadline.ts";
      await new HostLocks(${JSON.stringify(join(place, "locks"))}, systemClock).acquire("${UUID}", "one-7", "deploy", Deadline.after(20, systemClock));
      const { pid } = Bun.spawn(["sleep", "60"], { stdio: ["ignore", "ignore", "ignore"] });
      console.log(pid);
      process.kill(process.pid, "SIGKILL");`;
    const { stdout } = Bun.spawnSync([process.execPath, "-e", script], { cwd: TOP });
    using _lock = await locks.acquire(UUID, "one-7", "cancel", within(0));
    process.kill(Number(stdout.toString()), "SIGKILL");
    expect(locks.holder(UUID)?.action).toBe("cancel");
  });
});
