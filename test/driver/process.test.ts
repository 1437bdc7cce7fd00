import { statSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { NIC, requestLine } from "../fixtures/driver-message.ts";
import { DriverProcess } from "../fixtures/driver-process.ts";
import { residentKiB } from "../fixtures/driver-processes.ts";
import { DriverWorld } from "../fixtures/driver-world.ts";

setDefaultTimeout(40_000);

let world: DriverWorld;
let driver: DriverProcess;

beforeEach(() => {
  world = new DriverWorld();
  for (const name of ["cancel", "resize", "attach_disk", "exec"]) world.script(`vmm/kvm/${name}`);
  world.script("vnm/bridge/clean");
});

afterEach(async () => {
  driver.kill();
  await driver.exited;
  world[Symbol.dispose]();
});

/** Milliseconds from the start of the process to its first line, which is the answer to INIT. */
async function startMs(words: string): Promise<number> {
  const began = performance.now();
  driver = new DriverProcess(world, [words]);
  driver.send("INIT\n");
  await driver.until("INIT", (lines) => lines.length > 0);
  const taken = performance.now() - began;
  await driver.finish();
  return taken;
}

describe("start", () => {
  test("INIT is answered alone, also when work comes with it", async () => {
    driver = new DriverProcess(world, ["-t 15 -r 0 kvm -p"]);
    driver.send(`INIT\n${requestLine("RESIZE", 7)}`);
    await driver.until("INIT", (lines) => lines.length > 0);
    expect(driver.lines[0]).toBe("INIT SUCCESS - -");
    expect(await driver.waitForResults(1)).toEqual(["RESIZE SUCCESS 7 -"]);
    expect(await driver.finish()).toBe(0);
  });

  test("INIT is answered within a second, or in no more than twice what a start costs that is refused at once", async () => {
    // A busy machine only ever adds time: one start in time shows that the driver waits for nothing.
    const tries: string[] = [];
    for (let left = 5; left > 0; left -= 1) {
      const floor = await startMs("-i kvm");
      const taken = await startMs("-t 15 -r 0 kvm -p");
      tries.push(`${Math.round(taken)} ms beside ${Math.round(floor)} ms`);
      if (taken < Math.max(1000, 2 * floor)) return;
    }
    throw new Error(`Every start was late: ${tries.join(", ")}`);
  });

  test.each([["-t 0 kvm", "-t needs a number above 0"], ["-i kvm", 'unknown option "-i"'], ["-p", "the name of the hypervisor directory is missing"]])("%s cannot start, and oned hears why", async (words, reason) => {
    driver = new DriverProcess(world, [words]);
    expect(await driver.exited).toBe(255);
    expect([driver.lines, driver.stderr]).toEqual([[`INIT FAILURE - Cannot start: ${reason}`], `Cannot start: ${reason}\n`]);
  });

  test("one_vmm_sh runs what it names on the front-end, and the rest on the host", async () => {
    driver = new DriverProcess(world, ["--called", "one_vmm_sh", "-t 15 kvm"]);
    driver.send(requestLine("CANCEL", 7, { template: NIC }) + requestLine("EXEC", 8, { host: "node2", template: "<QEMU_GA_EXEC><COMMAND>ls</COMMAND></QEMU_GA_EXEC>" }));
    await driver.waitForResults(2);
    expect(world.calls().map(({ host, path }) => `${host} ${path.split("/").at(-1) ?? ""}`).toSorted()).toEqual(["LOCAL cancel", "LOCAL clean", "node2 exec"]);
  });

  test("scripts of the front-end get its variables and its priority", async () => {
    world.write("etc/defaultrc", "PRIORITY=7\n");
    world.write("etc/vmm_exec/vmm_execrc", 'LIVE_DISK_SNAPSHOTS="a b"\n');
    world.behave("vmm/kvm/resize", { body: 'echo "$LIVE_DISK_SNAPSHOTS $(ps -o ni= -p $$ 2>/dev/null || cut -d" " -f19 /proc/$$/stat) $PWD $ONE_LOCATION"' });
    driver = new DriverProcess(world, ["-l resize kvm"]);
    driver.send(requestLine("RESIZE", 7));
    expect((await driver.waitForResults(1))[0]?.split(/\s+/)).toEqual(["RESIZE", "SUCCESS", "7", "a", "b", "7", `${world.root}/var`, world.root]);
  });

  test("single scripts that wait for one host share its ssh, and the last one closes it", async () => {
    driver = new DriverProcess(world, ["-t 15 kvm"]);
    driver.send([1, 2, 3].map((id) => requestLine("RESIZE", id)).join("") + requestLine("RESIZE", 4, { host: "node2" }));
    expect((await driver.waitForResults(4)).toSorted()).toEqual([1, 2, 3, 4].map((id) => `RESIZE SUCCESS ${id} -`));
    expect(world.connections().map((words) => words.find((word) => word.startsWith("node"))).toSorted()).toEqual(["node1", "node2"]);
    driver.send(requestLine("RESIZE", 5));
    await driver.waitForResults(5);
    expect(world.connections().length).toBe(3);
    expect(await driver.finish()).toBe(0);
  });

  test("a session whose script was ended is not handed on", async () => {
    world.behave("vmm/kvm/resize", { body: 'case $2 in 1) exec sleep 30 ;; esac' });
    driver = new DriverProcess(world, ["-t 15 -w 3 kvm"]);
    driver.send(requestLine("RESIZE", 1) + requestLine("RESIZE", 2));
    const results = await driver.waitForResults(2);
    expect(results.map((line) => line.split(" ").slice(0, 3).join(" ")).toSorted()).toEqual(["RESIZE FAILURE 1", "RESIZE SUCCESS 2"]);
    expect(await driver.finish()).toBe(0);
  });

  test("an idle driver is at most 70 MiB", async () => {
    driver = new DriverProcess(world, ["-t 15 -r 0 kvm -p"]);
    driver.send("INIT\n");
    await driver.until("INIT", (lines) => lines.length > 0);
    const resident = residentKiB(driver.pid) / 1024;
    console.log(`idle driver: ${resident.toFixed(1)} MiB resident`);
    expect(resident).toBeLessThan(70);
  });
});

describe("looking in", () => {
  const disk = { command: "CLONE ssh fe:/a node1:/b 7 1\n", rollback: "DELETE ssh node1:/b 7 1\n", target: "/b", template: "<DISK><ATTACH>YES</ATTACH><TARGET>vdb</TARGET></DISK>", datastore: "<DATASTORE><PASSWORD>s3cret</PASSWORD></DATASTORE>" };

  test("--dry-run prints the steps and starts nothing", async () => {
    world.script("tm/ssh/clone");
    world.script("tm/ssh/delete");
    driver = new DriverProcess(world, ["--dry-run", "-w", "9", "kvm"]);
    driver.send(`INIT\n${requestLine("ATTACHDISK", 7, disk)}DEPLOY  8 AAAA\nFROB 1\n`);
    driver.endInput();
    expect(await driver.exited).toBe(0);
    expect(driver.lines.map((line) => line.replaceAll(world.root, "R").replace(/\d{3,} (characters|bytes)/g, "N $1"))).toEqual([
      "ATTACHDISK 7",
      "  1. tm tm_attach",
      "     front-end: R/var/remotes/tm/ssh/clone fe:/a node1:/b 7 1  < 0 bytes, at most 9 s",
      "  2. vmm attach_disk",
      "     node1: R/host/vmm/kvm/attach_disk one-7 /b vdb 1 '… N characters …' 7 node1  < N bytes, at most 9 s",
      "     if it fails: tm tm_detach",
      "        front-end: R/var/remotes/tm/ssh/delete node1:/b 7 1  < 0 bytes, at most 9 s",
      expect.stringMatching(/^DEPLOY 8: refused: Cannot read the message: ./),
      "Cannot run FROB: no such action",
    ]);
    expect([world.calls(), world.connections()]).toEqual([[], []]);
  });

  test("--trace writes what happened without secrets, readable by its owner only, and it can be replayed", async () => {
    world.script("tm/ssh/clone");
    const file = `${world.root}/trace.jsonl`;
    driver = new DriverProcess(world, ["--trace", file, "-t", "15", "kvm"]);
    driver.send(requestLine("ATTACHDISK", 7, disk));
    expect(await driver.waitForResults(1)).toEqual(["ATTACHDISK SUCCESS 7 -"]);
    await driver.finish();
    const text = await Bun.file(file).text();
    const events = text.trim().split("\n").map((line) => JSON.parse(line) as { event: string; line?: string; command?: string });
    expect(events.map(({ event }) => event)).toEqual(["request", "command", "command", "result"]);
    expect(text).not.toContain("s3cret");
    expect(Buffer.from(events[0]?.line?.split(" ").at(-1) ?? "", "base64").toString()).toContain("<PASSWORD>***</PASSWORD>");
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});
