import { describe, expect, test } from "bun:test";
import { inflateSync } from "node:zlib";
import { run } from "../../../src/actions/poll.ts";
import { quarantined } from "../../../src/agent/status.ts";
import type { StatsFields } from "../../../src/core/ports.ts";
import type { FakeDomain } from "../../fakes/domain.ts";
import { given, type Given, type World } from "../../fakes/world.ts";

const ONE = "aaaaaaaa-0001-4000-8000-000000000000";
const TWO = "aaaaaaaa-0002-4000-8000-000000000000";
const WILD = "812410d8-4ef6-4094-8fbd-3277840e343d";

const NET = { "net.count": 2, "net.0.rx.bytes": 900n, "net.0.tx.bytes": 1200n, "net.1.rx.bytes": 36n, "net.1.tx.bytes": 12n } satisfies StatsFields;
const BLOCK = { "block.count": 2, "block.0.rd.bytes": 314884608n, "block.0.wr.bytes": 1089536n, "block.0.rd.reqs": 2663n, "block.0.wr.reqs": 266n, "block.1.rd.bytes": 2n, "block.1.wr.bytes": 1n, "block.1.rd.reqs": 1n, "block.1.wr.reqs": 1n } satisfies StatsFields;
/** What libvirt gives of a domain whose QEMU it passes by (NOWAIT): what it knows itself, and no counter. */
const PASSED_BY = { "block.count": 1, "block.0.name": "vda", "block.0.path": "/disk.0" } satisfies StatsFields;
const NO_DISK = { "block.count": 0 } satisfies StatsFields;

const one: FakeDomain = { name: "one-9001", uuid: ONE, fields: { ...NET, ...BLOCK }, maxMemoryKiB: 131072 };
const two: FakeDomain = { name: "one-9002", uuid: TWO, state: "paused", reason: 1, fields: { "net.count": 0, ...NO_DISK }, maxMemoryKiB: 32768 };
const wild: FakeDomain = {
  name: "wild-9003", uuid: WILD, fields: { "net.count": 0, ...NO_DISK }, maxMemoryKiB: 49152,
  xml: "<domain><name>wild-9003</name><memory unit='KiB'>49152</memory><vcpu>2</vcpu><os><type arch='x86_64'>hvm</type></os><features><acpi/><apic/></features><devices><graphics type='vnc' port='14903'/></devices></domain>",
};

/** A host on which one QEMU has used 7.04 percent of a processor in the last second, and the others nothing. */
function host({ domains = [wild, two, one], version = "5.6.0", ...more }: Given = {}): World {
  const world = given({ domains, version, limitSeconds: 10_000, ...more }); // several polls, one after the other
  world.processes.put(ONE, { pid: 1, residentKiB: 271456, swapKiB: 100, cpuTicks: 1000 });
  world.processes.put(TWO, { pid: 2, residentKiB: 42552, cpuTicks: 50 });
  world.processes.put(WILD, { pid: 3, residentKiB: 49696, cpuTicks: 50 });
  world.processes.ticks = 100_000;
  world.clock.after(1000, () => {
    world.processes.ticks += 20_000;
    world.processes.put(ONE, { cpuTicks: 1704 });
  });
  return world;
}

const poll = (world: World, deployId?: string) => run({ arguments: deployId === undefined ? {} : { "deploy-id": deployId, host: "h" }, stdin: "" }, world);

/** The names that stand in the golden samples of upstream 5.6. */
const TEMPLATE = "TkFNRT0id2lsZC05MDAzIgpDUFU9MgpWQ1BVPTIKTUVNT1JZPTQ4CkhZUEVSVklTT1I9Imt2bSIKSU1QT1JUX1ZNX0lEPSI4MTI0MTBkOC00ZWY2LTQwOTQtOGZiZC0zMjc3ODQwZTM0M2QiCk9TPVtBUkNIPSJ4ODZfNjQiXQpGRUFUVVJFUz1bCiAgQUNQST0ieWVzIiwKICBBUElDPSJ5ZXMiXQoKCkdSQVBISUNTID0gWyBUWVBFPSJ2bmMiLCBQT1JUPSIxNDkwMyIgXQo=";

describe("poll -t", () => {
  test("poll -t prints what upstream 5.6 prints, to the byte, in the order of libvirt's ids", async () => {
    using world = host();
    expect(await poll(world, "-t")).toBe(`VM_POLL=YES
VM=[
  ID=-1,
  DEPLOY_ID=${WILD},
  VM_NAME="wild-9003",
  IMPORT_TEMPLATE="${TEMPLATE}",
  POLL="STATE=a CPU=0.0 MEMORY=49696 VM_NAME=wild-9003" ]
VM=[
  ID=9002,
  DEPLOY_ID=one-9002,
  POLL="STATE=a CPU=0.0 MEMORY=42552" ]
VM=[
  ID=9001,
  DEPLOY_ID=one-9001,
  POLL="STATE=a CPU=7.04 MEMORY=271456 NETRX=936 NETTX=1212 DISKRDBYTES=314884610 DISKWRBYTES=1089537 DISKRDIOPS=2664 DISKWRIOPS=267" ]`);
  });

  test("poll -t of 5.8 counts swap, gives all six counters, and tells a user's pause as an error", async () => {
    using world = host({ domains: [two, one], version: "5.10.1" });
    expect((await poll(world, "-t")).match(/POLL=".*"/g)).toEqual([
      'POLL="STATE=e CPU=0.0 MEMORY=42552"', 'POLL="STATE=a CPU=7.04 MEMORY=271556 NETRX=936 NETTX=1212 DISKRDBYTES=314884610 DISKWRBYTES=1089537 DISKRDIOPS=2664 DISKWRIOPS=267"',
    ]);
  });

  test("poll -t of 5.8 gives zeros for what a running VM does not have", async () => {
    using world = host({ domains: [{ ...two, state: "running" }], version: "5.8.0" });
    expect((await poll(world, "-t")).match(/POLL=".*"/g)).toEqual(['POLL="STATE=a CPU=0.0 MEMORY=42552 NETRX=0 NETTX=0 DISKRDBYTES=0 DISKWRBYTES=0 DISKRDIOPS=0 DISKWRIOPS=0"']);
  });

  test("poll -t of a host without domains is VM_POLL=YES alone", async () => {
    using world = given({ version: "5.6.0", limitSeconds: 30 });
    expect(await poll(world, "-t")).toBe("VM_POLL=YES");
  });

  test.each(["LIBVIRT_UNREACHABLE", "CONNECTION_LOST", "TIMED_OUT", "LIBVIRT_FAILED"] as const)("poll in its list forms prints nothing, and does not fail, when libvirt answers %s: an error is no empty host", async (code) => {
    using world = host();
    world.hypervisor.fails("stats", code, { times: 2 });
    expect([await poll(world, "-t"), await poll(world), world.log.lines.length]).toEqual(["", "", 2]);
  });

  test("poll -t gives a record without disk counters for one whose process is gone, and its grant as memory", async () => {
    using world = host({ domains: [{ ...one, fields: NET }] });
    world.processes.end(ONE);
    world.clock.after(1000, () => world.processes.end(ONE));
    expect((await poll(world, "-t")).match(/POLL=".*"/g)).toEqual(['POLL="STATE=a MEMORY=131072 NETRX=936 NETTX=1212"']);
  });

  test("poll -t keeps a name with quotes and blanks inside its place", async () => {
    using world = given({ domains: [{ ...wild, name: 'a" ]\nVM=[ x\u0000' }], version: "5.6.0", limitSeconds: 30 });
    const lines = (await poll(world, "-t")).split("\n");
    expect([lines.length, lines[4], lines[6]]).toEqual([7, '  VM_NAME="a__]_VM=[_x_",', '  POLL="STATE=a MEMORY=49152 VM_NAME=a__]_VM=[_x_" ]']);
  });

  test.each([["one-5", "5", "one-5"], ["one-5x", "-1", "one-5x"], ["one-", "-1", WILD], ["xone-5", "-1", WILD]])("poll -t calls %s number %s, known as %s", async (name, id, deployId) => {
    using world = given({ domains: [{ ...wild, name }], version: "5.6.0", limitSeconds: 30 });
    const text = await poll(world, "-t");
    expect([/ID=(.*),/.exec(text)?.[1], /DEPLOY_ID=(.*),/.exec(text)?.[1]]).toEqual([id, deployId]);
  });

  test("poll -t leaves out a template that cannot be read, and says so", async () => {
    using world = host({ domains: [wild] });
    world.hypervisor.fails("domainXml", "DOMAIN_NOT_FOUND");
    expect([/IMPORT_TEMPLATE/.test(await poll(world, "-t")), world.log.lines]).toEqual([false, ['WARN: No import template of "wild-9003": Cannot domainXml: scripted DOMAIN_NOT_FOUND']]);
  });
});

describe("poll of all as YAML", () => {
  test("poll without arguments gives the YAML of upstream 5.6, deflated, in base64", async () => {
    using world = host();
    expect(inflateSync(Buffer.from(await poll(world), "base64")).toString()).toBe(`---
${WILD}:
  :state: a
  :cpu: 0.0
  :memory: 49696
  :template: ${TEMPLATE}
  :vm_name: wild-9003
one-9002:
  :state: a
  :cpu: 0.0
  :memory: 42552
one-9001:
  :state: a
  :cpu: 7.04
  :memory: 271456
  :netrx: 936
  :nettx: 1212
  :diskrdbytes: 314884610
  :diskwrbytes: 1089537
  :diskrdiops: 2664
  :diskwriops: 267
`);
  });

  test("poll without arguments quotes what YAML would read as something else, and an empty host is an empty map", async () => {
    using strange = given({ domains: [{ ...wild, name: "yes" }], version: "5.6.0", limitSeconds: 30 });
    using empty = given({ version: "5.6.0", limitSeconds: 30 });
    const yaml = async (world: World) => inflateSync(Buffer.from(await poll(world, ""), "base64")).toString();
    expect([/:vm_name: (.*)/.exec(await yaml(strange))?.[1], await yaml(empty)]).toEqual(['"yes"', "--- {}\n"]);
  });
});

describe("poll of one", () => {
  test("poll of one VM prints one line; disk counters belong to it since 5.8", async () => {
    using old = host();
    using since = host({ version: "5.8.0" });
    expect([await poll(old, "one-9001"), await poll(since, ONE), old.hypervisor.calls.filter((call) => /block/.test(call))]).toEqual([
      "STATE=a CPU=7.04 MEMORY=271456 NETRX=936 NETTX=1212", "STATE=a CPU=7.04 MEMORY=271556 NETRX=936 NETTX=1212 DISKRDBYTES=314884610 DISKWRBYTES=1089537 DISKRDIOPS=2664 DISKWRIOPS=267", [],
    ]);
  });

  test("poll of one VM asks for that VM only: a stuck QEMU elsewhere does not concern it", async () => {
    using world = host({ version: "5.8.0" });
    await poll(world, "one-9001");
    expect(world.hypervisor.calls).toEqual(["find one-9001", `stats state+interface ${ONE}`, `stats block ${ONE}`]);
  });

  test("poll of a wild VM reads no template, and an unknown or inactive one is STATE=-", async () => {
    using world = host({ domains: [wild, { ...two, state: "shutoff", persistent: true }] });
    expect([await poll(world, "wild-9003"), await poll(world, "nope"), await poll(world, "one-9002"), world.hypervisor.calls.filter((call) => /domainXml/.test(call))]).toEqual(["STATE=a CPU=0.0 MEMORY=49696", "STATE=-", "STATE=-", []]);
  });

  test("poll of one VM fails when libvirt cannot be asked", async () => {
    using world = host();
    world.hypervisor.fails("find", "LIBVIRT_UNREACHABLE");
    expect(poll(world, "one-9001")).rejects.toMatchObject({ code: "LIBVIRT_UNREACHABLE" });
  });

  const states: [FakeDomain["state"], number, string, string][] = [
    ["running", 1, "a", "a"], ["blocked", 0, "a", "a"], ["shutdown", 1, "-", "a"], ["crashed", 0, "e", "e"], ["pmsuspended", 0, "-", "e"], ["paused", 1, "a", "e"], ["paused", 5, "a", "e"], ["paused", 6, "a", "e"], ["paused", 10, "a", "e"], ["paused", 13, "a", "e"],
    ["paused", 0, "a", "e"], ["paused", 99, "a", "e"], ["paused", 2, "a", "a"], ["paused", 3, "a", "a"], ["paused", 11, "a", "a"],
  ];
  test.each(states)("poll of a VM that is %s (reason %i) says %s to 5.6 and %s to 5.8, and always one more key", async (state, reason, old, since) => {
    const letters = await Promise.all((["5.6.0", "5.8.0"] as const).map(async (version) => {
      using world = host({ domains: [{ ...two, state: state as "running", reason }], version });
      return /^STATE=(.) ./.exec(await poll(world, "one-9002"))?.[1];
    }));
    expect(letters).toEqual([old, since]);
  });
});

describe("poll and CPU usage", () => {
  test("poll waits one second the first time, and never again", async () => {
    using world = host();
    await poll(world, "one-9001");
    world.clock.pass(30_000);
    await poll(world, "one-9001");
    expect(world.clock.sleeps).toEqual([1000]);
  });

  test("poll measures since the poll before, with all processors as 100 percent each", async () => {
    using world = host();
    await poll(world, "one-9001");
    world.clock.pass(10_000);
    world.processes.ticks += 2000; // two processors, ten seconds
    world.processes.put(ONE, { cpuTicks: 1704 + 500 });
    expect(await poll(world, "one-9001")).toMatch(/^STATE=a CPU=50\.0 /);
  });

  test("poll counts a process that has started since from its start, and one that was replaced anew", async () => {
    using world = host();
    await poll(world, "-t");
    world.clock.pass(10_000);
    world.processes.ticks += 2000;
    world.processes.put(ONE, { cpuTicks: 200, startTicks: 777 });
    world.processes.put("11111111-0000-4000-8000-000000000000", { cpuTicks: 100 });
    expect(await poll(world, "one-9001")).toMatch(/^STATE=a CPU=20\.0 /);
  });

  test.each([
    ["polls that follow at once", 200, 400, []], ["a sample of too long ago", 20 * 60_000, 2_400_000, [1000]], ["a clock that was set back", -3_600_000, 400, [1000]], ["a reboot", 10_000, -50_000, [1000]],
  ])("poll never divides by nothing and never goes back to the boot: %s", async (_what, ms, ticks, sleeps) => {
    using world = host();
    await poll(world, "one-9001");
    world.clock.sleeps.length = 0;
    if (ms >= 0) world.clock.pass(ms);
    else world.state.values.set("poll-cpu", (world.state.values.get("poll-cpu") ?? "").replace(/"at":(\d+)/g, (_all, at: string) => `"at":${Number(at) - ms}`));
    world.processes.ticks += ticks;
    world.clock.after(1000, () => void (world.processes.ticks += 200));
    expect([/^STATE=a CPU=(\d+\.\d+) /.test(await poll(world, "one-9001")), world.clock.sleeps]).toEqual([true, sleeps]);
  });

  test("poll waited a second each time for an hour after the clock had gone back an hour", async () => {
    using world = host();
    await poll(world, "one-9001");
    world.clock.step = -3_600_000;
    for (let times = 0; times < 3; times++) {
      world.clock.pass(30_000);
      world.processes.ticks += 6000;
      await poll(world, "one-9001");
    }
    expect(world.clock.sleeps).toEqual([1000, 1000]);
  });

  test.each([["garbage", '"x"'], ["null", "null"], ["another version", '{"newer":{"at":1}}'], ["a cut older one", '{"newer":{"at":1767323045000,"total":1,"processes":{}},"older":{"at":1}}'], ["no processes", '{"newer":{"at":1,"total":1,"processes":null}}']])("poll takes a state file with %s for none", async (_what, text) => {
    using world = host();
    world.state.values.set("poll-cpu", text);
    world.state.values.set("quarantine", text);
    expect(await poll(world, "one-9001")).toMatch(/^STATE=a CPU=\d/);
  });

  test("poll answers although its state cannot be kept, and says so", async () => {
    using world = host();
    world.state.full = true;
    expect([await poll(world, "one-9001"), world.log.lines]).toEqual(["STATE=a CPU=7.04 MEMORY=271456 NETRX=936 NETTX=1212", ['WARN: The next poll starts afresh: Cannot write "poll-cpu.json": no space left on the device']]);
  });
});

describe("poll and a QEMU that does not answer", () => {
  /** As libvirt behaves: the first call that reaches the stuck QEMU hangs, the next passes it by because its job is held (NOWAIT). */
  function stuck(world: World, uuid: string, times = 1): void {
    for (let left = times; left > 0; left--) {
      world.hypervisor.next("stats", (proceed) => proceed()); // state and interfaces
      world.hypervisor.hangs("stats");
      world.hypervisor.next("stats", async (proceed) => ((await proceed()) as { uuid: string; fields: StatsFields }[]).map((each) => (each.uuid === uuid ? { ...each, fields: PASSED_BY } : each)));
    }
  }
  const blockCalls = (world: World) => world.hypervisor.calls.filter((call) => /block/.test(call));

  test("poll gives all numbers of all others, names the stuck one, and keeps within seconds", async () => {
    using world = host({ domains: [one, { ...two, state: "running" }] });
    stuck(world, TWO);
    const text = await poll(world, "-t");
    expect([text.match(/POLL=".*"/g), world.log.lines, world.clock.monotonicMs()]).toEqual([
      ['POLL="STATE=a CPU=7.04 MEMORY=271456 NETRX=936 NETTX=1212 DISKRDBYTES=314884610 DISKWRBYTES=1089537 DISKRDIOPS=2664 DISKWRIOPS=267"', 'POLL="STATE=a CPU=0.0 MEMORY=42552"'],
      ['WARN: QEMU of "one-9002" does not answer: its disk counters are left out'], 3020,
    ]);
  });

  test("poll leaves the stuck one alone for a while, then asks again, at once when its process is another", async () => {
    using world = host({ domains: [one, { ...two, state: "running" }] });
    stuck(world, TWO);
    await poll(world, "-t");
    const asked: string[][] = [];
    for (const prepare of [() => world.clock.pass(10_000), () => world.processes.put(TWO, { startTicks: 8 }), () => undefined]) {
      prepare();
      world.hypervisor.calls.length = 0;
      await poll(world, "-t");
      asked.push(blockCalls(world));
    }
    expect(asked).toEqual([[`stats block ${ONE}`], ["stats block all"], ["stats block all"]]);
  });

  test("poll asks a quarantined VM again after its time", async () => {
    using world = host({ domains: [one, { ...two, state: "running" }], onevirt: { QUARANTINE_SECONDS: 40 } });
    stuck(world, TWO);
    await poll(world, "-t");
    world.clock.pass(41_000);
    world.hypervisor.calls.length = 0;
    await poll(world, "-t");
    expect(blockCalls(world)).toEqual(["stats block all"]);
  });

  test("poll asked nobody's disks for an hour after the clock had gone back an hour", async () => {
    using world = host({ domains: [one, { ...two, state: "running" }], onevirt: { QUARANTINE_SECONDS: 40 } });
    stuck(world, TWO);
    await poll(world, "-t");
    world.clock.step = -3_600_000;
    world.clock.pass(41_000);
    world.hypervisor.calls.length = 0;
    await poll(world, "-t");
    expect(blockCalls(world)).toEqual(["stats block all"]);
  });

  test("poll does not even ask a QEMU that is stopped", async () => {
    using world = host({ domains: [one, { ...two, state: "running" }] });
    world.processes.put(TWO, { state: "T" });
    world.clock.after(1000, () => world.processes.put(TWO, { state: "T" }));
    await poll(world, "-t");
    expect([blockCalls(world), world.log.lines]).toEqual([[`stats block ${ONE}`], ['WARN: QEMU of "one-9002" does not answer: its disk counters are left out']]);
  });

  test("a QEMU that is stopped is named in the quarantine, and is no longer when it goes on", async () => {
    using world = host({ domains: [one, { ...two, state: "running" }] });
    const names = () => quarantined(world.state, world.clock.nowMs()).map(({ name }) => name);
    world.processes.put(TWO, { state: "T" });
    world.clock.after(1000, () => world.processes.put(TWO, { state: "T" }));
    await poll(world, "-t");
    const during = names();
    world.processes.put(TWO, { state: "S" });
    world.hypervisor.calls.length = 0;
    await poll(world, "-t");
    expect([during, names(), blockCalls(world)]).toEqual([["one-9002"], [], ["stats block all"]]);
  });

  test("poll left all alone for a while when several QEMUs were stopped while they were asked; only those are left out now", async () => {
    using world = host({ domains: [one, { ...two, state: "running" }] });
    world.hypervisor.next("stats", (proceed) => proceed()).hangs("stats");
    world.clock.after(2000, () => world.processes.put(TWO, { state: "T" }));
    const text = await poll(world, "-t");
    expect([text.includes("DISKRDBYTES=314884610"), blockCalls(world), quarantined(world.state, world.clock.nowMs()).map(({ name }) => name)]).toEqual([true, ["stats block all", `stats block ${ONE}`], ["one-9002"]]);
  });

  test("poll gives up after three attempts, and answers without disk counters", async () => {
    using world = host({ domains: [one] });
    world.hypervisor.next("stats", (proceed) => proceed()).hangs("stats").hangs("stats").hangs("stats");
    expect([(await poll(world, "-t")).match(/POLL=".*"/g), world.clock.monotonicMs()]).toEqual([['POLL="STATE=a CPU=7.04 MEMORY=271456 NETRX=936 NETTX=1212"'], 7030]);
  });

  test("poll does not call a QEMU stuck that it had no time to ask", async () => {
    using world = host({ domains: [one], limitSeconds: 1, version: "5.8.0" });
    expect([(await poll(world, "-t")).includes("DISK"), world.log.lines, world.state.values.has("quarantine")]).toEqual([false, ["WARN: Disk counters are left out: no time is left to ask for them"], false]);
  });

  test("poll answers without disk counters when libvirt refuses them", async () => {
    using world = host({ domains: [one] });
    world.hypervisor.next("stats", (proceed) => proceed()).fails("stats", "NOT_SUPPORTED");
    expect([(await poll(world, "-t")).includes("NETTX=1212\""), world.log.lines]).toEqual([true, ["WARN: Disk counters are left out: Cannot stats: scripted NOT_SUPPORTED"]]);
  });

  test("poll asks for the disks of those only that do not migrate, not for those of all", async () => {
    using world = host({ domains: [one, { ...two, state: "paused", reason: 2 }], version: "5.8.0" });
    await poll(world, "-t");
    expect(blockCalls(world)).toEqual([`stats block ${ONE}`]);
  });
});
