import { describe, expect, test } from "bun:test";
import { parseTemplate } from "../../../src/codec/template.ts";
import type { FakeDomain } from "../../fakes/domain.ts";
import { given, type Given, type World } from "../../fakes/world.ts";
import { runProbe } from "./run.ts";

const [A, B, W] = ["aaaaaaaa-0001-4000-8000-000000000000", "aaaaaaaa-0002-4000-8000-000000000000", "812410d8-4ef6-4094-8fbd-3277840e343d"];
const FIELDS = { "net.count": 1, "net.0.rx.bytes": 586n, "net.0.tx.bytes": 662n, "block.count": 1, "block.0.rd.bytes": 100n, "block.0.wr.bytes": 50n, "block.0.rd.reqs": 10n, "block.0.wr.reqs": 5n } as const;
const one: FakeDomain = { name: "one-1", uuid: A, fields: FIELDS };
const two: FakeDomain = { name: "one-2", uuid: B, state: "paused", reason: 1, fields: { "net.count": 0, "block.count": 0 } };
const wild: FakeDomain = { name: "one-12-copy", uuid: W, fields: { "net.count": 0 } };
const CONF = "/var/tmp/one/etc/im/kvm-probes.d";
const QUESTION = `:vm_qemu_ping: one-$vm_id '{"execute":"guest-ping","arguments":{"id":$vm_id}}' --timeout 5`;

function host({ domains = [one, two, wild], files = {}, ...more }: Given = {}): World {
  const world = given({ domains, limitSeconds: 10_000, files, ...more });
  for (const { uuid } of domains) world.processes.put(uuid, { residentKiB: 1000, swapKiB: 24, cpuTicks: 100 });
  world.processes.ticks = 10_000;
  world.clock.after(1000, () => later(world, 0));
  return world;
}

/** A second, or half a minute, in which one VM uses half a processor. */
function later(world: World, seconds: number): void {
  world.clock.pass(seconds * 1000);
  const before = world.processes.qemu().get(A)?.cpuTicks ?? 0;
  world.processes.ticks += Math.max(1, seconds) * 200;
  world.processes.put(A, { cpuTicks: before + Math.max(1, seconds) * 50 });
}

/** What is said of each VM, in its order. */
async function monitored(world: World): Promise<Readonly<Record<string, readonly string[]>>> {
  const text = await runProbe("vm/monitor/poll", world);
  return Object.fromEntries(parseTemplate(text, "the report").map((each) => {
    const entries = each.kind === "vector" ? each.entries : new Map();
    const inner = parseTemplate(Buffer.from(entries.get("MONITOR").value, "base64").toString(), "a VM");
    return [`${entries.get("ID").value} ${entries.get("DEPLOY_ID").value}`, inner.map((attribute) => `${attribute.name}=${attribute.kind === "single" ? attribute.value : ""}`)];
  }));
}

describe("vm/monitor", () => {
  test("numbers of VMs come from /proc and libvirt; wild ones have two of them", async () => {
    using world = host();
    expect(await monitored(world)).toEqual({
      [`1 ${A}`]: ["CPU=50.0", "MEMORY=1024", "NETRX=586", "NETTX=662", "DISKRDBYTES=100", "DISKWRBYTES=50", "DISKRDIOPS=10", "DISKWRIOPS=5"],
      [`2 ${B}`]: ["CPU=0.0", "MEMORY=1024", "NETRX=0", "NETTX=0", "DISKRDBYTES=0", "DISKWRBYTES=0", "DISKRDIOPS=0", "DISKWRIOPS=0"],
      [`-1 ${W}`]: ["CPU=0.0", "MEMORY=1024"],
    });
    expect(world.commands.calls).toEqual([]);
  });

  test("counters of a VM that is paused are what they are, and memory in huge pages counts", async () => {
    using world = host({ domains: [{ ...one, state: "paused", reason: 1 }] });
    world.processes.put(A, { hugePagesKiB: 4096 });
    expect(Object.values(await monitored(world))[0]).toEqual(expect.arrayContaining(["MEMORY=5120", "NETRX=586", "DISKRDBYTES=100"]));
  });

  test("a QEMU that does not answer is named and costs its own disk counters only", async () => {
    using world = host();
    world.processes.put(B, { state: "T" });
    const said = await monitored(world);
    expect(said[`2 ${B}`]).toEqual(["CPU=0.0", "MEMORY=1024", "NETRX=0", "NETTX=0"]);
    expect(said[`1 ${A}`]).toContain("DISKRDBYTES=100");
    expect(world.log.lines.join()).toContain('"one-2" does not answer');
  });

  test("rates follow from the second pass on, and series are kept of managed VMs only", async () => {
    using world = host({ domains: [one, wild] });
    await monitored(world);
    later(world, 29);
    world.hypervisor.end(A);
    world.hypervisor.put({ ...one, fields: { ...FIELDS, "net.0.rx.bytes": 586n + 290n, "block.0.rd.bytes": 58n } });
    const said = (await monitored(world))[`1 ${A}`];
    expect(said).toEqual(expect.arrayContaining(["NETRX_BW=10.0", "NETTX_BW=0.0", "DISKRDBYTES_BW=2.0"])); // 58 bytes since the counter began anew
    expect([...new Set([...world.series.points.keys()].map((key) => key.split(" ").slice(0, 2).join(" ")))]).toEqual(["virtualmachine 1"]);
    expect([...world.series.points.keys()]).toContain("virtualmachine 1 diskwriops");
  });

  test("retention is what forecast.conf says of VMs", async () => {
    using world = host({ limitSeconds: 30 * 86_400, files: { [`${CONF}/forecast.conf`]: "host:\n  db_retention: 9\nvirtualmachine:\n  db_retention: 1\n" } });
    await monitored(world);
    later(world, 8 * 86_400);
    await monitored(world);
    expect(world.series.points.get("virtualmachine 1 memory")).toHaveLength(1);
  });

  test("what cannot be kept or configured costs nobody's numbers", async () => {
    using world = host({ files: { [`${CONF}/forecast.conf`]: "host: [\n", [`${CONF}/guestagent.conf`]: "- x\n" } });
    world.series.broken = true;
    world.state.full = true;
    expect((await monitored(world))[`1 ${A}`]).toHaveLength(8);
  });
});

describe("vm/monitor while libvirt does not answer", () => {
  /** QEMUs as libvirt names them. */
  function named(given: Given = {}): World {
    const world = host(given);
    for (const [uuid, name, pid] of [[A, "one-1", 101], [B, "one-2", 102], [W, "one-12-copy", 103]] as const) world.processes.put(uuid, { name, pid });
    return world;
  }
  const OWN = { [`1 ${A}`]: ["CPU=50.0", "MEMORY=1024"], [`2 ${B}`]: ["CPU=0.0", "MEMORY=1024"], [`-1 ${W}`]: ["CPU=0.0", "MEMORY=1024"] };

  test("the numbers of all VMs came late and were lost with it; now processor and memory come after some seconds", async () => {
    using world = named();
    world.hypervisor.hangs("stats");
    const before = world.clock.monotonicMs();
    expect(await monitored(world)).toEqual(OWN);
    expect(world.clock.monotonicMs() - before).toBeLessThan(6500); // with the second in which the first sample is taken
    expect(world.hypervisor.calls).toEqual(["stats state+interface all"]);
    expect(world.log.lines.join()).toContain("Interfaces, disks and guests of all VMs are left out: Cannot stats: no answer");
  });

  test("a daemon that is down takes no processor and memory with it, and no guest is said to be off", async () => {
    using world = named({ files: { [`${CONF}/guestagent.conf`]: `:enabled: true\n:commands:\n  ${QUESTION}\n` } });
    world.hypervisor.fails("stats", "LIBVIRT_UNREACHABLE");
    expect(await monitored(world)).toEqual(OWN);
  });

  test("counters have their rates again when it is back, over all the time between", async () => {
    using world = named({ domains: [one] });
    await monitored(world);
    later(world, 29);
    world.hypervisor.fails("stats", "LIBVIRT_UNREACHABLE");
    await monitored(world);
    later(world, 30);
    world.hypervisor.end(A);
    world.hypervisor.put({ ...one, fields: { ...FIELDS, "net.0.rx.bytes": 586n + 590n } });
    expect((await monitored(world))[`1 ${A}`]).toContain("NETRX_BW=10.0");
  });

  test("a process without a name, with the name of another, or with another pid than libvirt has noted, is nobody's", async () => {
    using world = given({ limitSeconds: 1000 });
    const names = ["one-1", "one-2", "one-2", undefined, "one-4", "one-5"];
    names.forEach((name, index) => world.processes.put(`aaaaaaaa-000${index}-4000-8000-000000000000`, { pid: 100 + index, cpuTicks: 1, ...(name ? { name } : {}) }));
    world.processes.pidFiles.set("one-4", 999).set("one-5", 105);
    world.hypervisor.fails("stats", "LIBVIRT_UNREACHABLE");
    expect(Object.keys(await monitored(world))).toEqual(["1 aaaaaaaa-0000-4000-8000-000000000000", "5 aaaaaaaa-0005-4000-8000-000000000000"]);
  });

  test("where no process tells of a VM either, that is said", async () => {
    using world = given();
    world.hypervisor.fails("stats", "LIBVIRT_UNREACHABLE");
    await expect(runProbe("vm/monitor/poll", world)).rejects.toThrow("LIBVIRT_UNREACHABLE");
  });
});

describe("guests", () => {
  const files = (text: string) => ({ [`${CONF}/guestagent.conf`]: text });
  const enabled = (commands = `  ${QUESTION}\n`) => files(`:enabled: true\n:commands:\n${commands}`);

  test("are not asked by default, and every question says so", async () => {
    using world = host({ domains: [one], files: files(`:enabled: false\n:commands:\n  ${QUESTION}\n`) });
    expect((await monitored(world))[`1 ${A}`]?.slice(8)).toEqual(["VM_QEMU_PING=QEMU Guest Agent monitoring disabled"]);
    expect(world.hypervisor.parts.asked).toEqual([]);
  });

  test("answers cannot end a value, a record or a line", async () => {
    using world = host({ domains: [one], files: enabled() });
    world.hypervisor.parts.agent.set("guest-ping", { a: ['x" ]', "two\nlines\\"] }).set("guest-get-osinfo", { id: 'u"\n' }).set("guest-network-get-interfaces", [{ name: "eth0", "ip-addresses": [{ "ip-address": '10.0.0.1", X="' }, {}] }, null, { name: "lo", "ip-addresses": [{ "ip-address": "10.9.9.9" }] }]);
    const said = (await monitored(world))[`1 ${A}`]?.slice(8) ?? [];
    expect(said.map((line) => line.split("=", 1)[0])).toEqual(["OS_ID", "OS_TYPE", "OS_VERSION", "OS_MACHINE", "GUEST_IP_ADDRESSES", "VM_QEMU_PING"]);
    expect(world.hypervisor.parts.asked.at(-1)).toBe('{"execute":"guest-ping","arguments":{"id":1}}');
  });

  test("a guest chose how much the front-end stores of it: 10 MB in each pass", async () => {
    using world = host({ domains: [one], files: enabled() });
    world.hypervisor.parts.agent.set("guest-ping", "x".repeat(10_000_000)).set("guest-get-osinfo", { id: "y".repeat(10_000) }).set("guest-network-get-interfaces", [{ name: "eth0", "ip-addresses": Array.from({ length: 10_000 }, () => ({ "ip-address": "10.0.0.1" })) }]);
    const said = (await monitored(world))[`1 ${A}`]?.slice(8) ?? [];
    expect(said.map((line) => [line.split("=", 1)[0], line.length < 4200])).toEqual([["OS_ID", true], ["OS_TYPE", true], ["OS_VERSION", true], ["OS_MACHINE", true], ["GUEST_IP_ADDRESSES", true], ["VM_QEMU_PING", true]]);
  });

  test("filters decide by the guest's system; a guest of which nothing is known passes none", async () => {
    const commands = "  :a:\n    :command: one-$vm_id '{\"execute\":\"guest-ping\"}'\n    :os_types: [mswindows]\n    :os_ids: mswindows\n  :b:\n    :command: one-$vm_id '{\"execute\":\"guest-ping\"}'\n    :os_types: [posix]\n";
    using world = host({ domains: [one], files: enabled(commands) });
    world.hypervisor.parts.agent.set("guest-ping", "pong").set("guest-get-osinfo", { id: "mswindows" });
    expect((await monitored(world))[`1 ${A}`]?.slice(8)).toEqual(["OS_ID=mswindows", "OS_TYPE=mswindows", "OS_VERSION=unknown", "OS_MACHINE=unknown", "A=pong"]);
    world.hypervisor.parts.agent.delete("guest-get-osinfo");
    later(world, 30);
    expect((await monitored(world))[`1 ${A}`]?.filter((line) => /^[AB]=/.test(line))).toEqual([]);
  });

  test.each(["one-$vm_id '{}' | jq .x", "one-$vm_id", "other '{\"execute\":\"guest-ping\"}'", "'unfinished"])("%s is no question, and is not run", async (command) => {
    using world = host({ domains: [one], files: enabled(`  :x: ${JSON.stringify(command)}\n`) });
    expect((await monitored(world))[`1 ${A}`]?.at(-1)).toContain("X=error: ");
    expect(world.hypervisor.parts.asked.filter((json) => !/osinfo|interfaces/.test(json))).toEqual([]);
  });

  test("one that is silent is asked once, then left alone, and costs nobody else's answers", async () => {
    using world = host({ domains: [one, { ...two, state: "running" }], files: enabled() });
    world.hypervisor.parts.agent.set("guest-ping", {}).set("guest-get-osinfo", {}).set("guest-network-get-interfaces", []);
    world.hypervisor.hangs("guest.command");
    const said = await monitored(world);
    expect(said[`1 ${A}`]?.at(-1)).toBe("VM_QEMU_PING=error: Guest agent is not responding: no answer in time");
    expect(said[`2 ${B}`]?.at(-1)).toBe("VM_QEMU_PING={}");
    later(world, 30);
    const asked = world.hypervisor.parts.asked.length;
    await monitored(world);
    expect(world.hypervisor.parts.asked.length - asked).toBe(3); // the other one only
    later(world, 300);
    expect((await monitored(world))[`1 ${A}`]).toContain("VM_QEMU_PING={}");
  });

  test("their time is bounded, and who had no turn is first in the next pass", async () => {
    const many = Array.from({ length: 6 }, (_, index): FakeDomain => ({ name: `one-${index + 1}`, uuid: `aaaaaaaa-000${index + 1}-4000-8000-000000000000` }));
    using world = host({ domains: many, files: enabled() });
    for (let each = 0; each < 6; each++) world.hypervisor.hangs("guest.command");
    const before = world.clock.monotonicMs();
    await monitored(world);
    expect(world.clock.monotonicMs() - before).toBeLessThanOrEqual(12_000);
    expect(world.log.lines.join()).toContain("were not asked");
    later(world, 30);
    const calls = world.hypervisor.calls.length;
    await monitored(world);
    const first = world.hypervisor.calls.slice(calls).find((call) => call.startsWith("guest.command"));
    expect(first).toContain("aaaaaaaa-000");
    expect(["1", "2", "3"].some((index) => first?.includes(`aaaaaaaa-000${index}`))).toBe(false);
  });

  test("graphics cards are asked for where this host has one and the VM was given one", async () => {
    const metadata = { "http://opennebula.org/xmlns/libvirt/1.0": "<vm><pci_devices><![CDATA[10de:2236:0302]]></pci_devices></vm>" };
    using world = host({ domains: [{ ...one, metadata }, { ...two, state: "running" }] });
    world.hypervisor.parts.agent.set("guest-exec", { pid: 4 }).set("guest-exec-status", { exited: true, "out-data": Buffer.from("GPU-1, N/A, 12 %, 71.256, 10240\n").toString("base64") });
    expect((await monitored(world))[`1 ${A}`]).toHaveLength(8);
    for (const [file, text] of [["vendor", "0x10de"], ["device", "0x2236"], ["class", "0x030200"]] as const) world.files.put(`/sys/bus/pci/devices/0000:41:00.0/${file}`, text);
    later(world, 30);
    const said = await monitored(world);
    expect(said[`1 ${A}`]).toEqual(expect.arrayContaining(["GPU_UTILIZATION=0.0", "GPU_MEMORY_UTILIZATION=12.0", "GPU_MEMORY_FREE=10240.0", "GPU_POWER_USAGE=71.26", "GPU_COUNT=1"]));
    expect(said[`2 ${B}`]?.filter((line) => line.startsWith("GPU"))).toEqual([]);
    expect(world.series.points.has("virtualmachine 1 gpumemoryfree")).toBe(true);
  });
});

describe("numbers of VMs that cannot be read", () => {
  const of = async (fields: FakeDomain["fields"], more: object = {}) => {
    using world = host({ domains: [{ ...one, ...(fields ? { fields } : {}) }] });
    world.processes.put(A, more);
    return (await monitored(world))[`1 ${A}`] ?? [];
  };

  test("a port without counters counts nothing; when none has any, the numbers are left out", async () => {
    expect(await of({ ...FIELDS, "net.count": 2, "net.1.name": "vhost-user" })).toContain("NETRX=586");
    expect((await of({ "net.count": 1, "net.0.name": "vhost-user", "block.count": 0 })).map((line) => line.split("=")[0])).toEqual(["CPU", "MEMORY", "DISKRDBYTES", "DISKWRBYTES", "DISKRDIOPS", "DISKWRIOPS"]);
  });

  test("counters keep all their digits", async () => expect(await of({ ...FIELDS, "net.0.rx.bytes": 18_446_744_073_709_551_615n })).toContain("NETRX=18446744073709551615"));

  test("a process that is ending has no memory to tell of", async () => {
    expect((await of(FIELDS, { residentKiB: 0, swapKiB: 0 })).filter((line) => line.startsWith("MEMORY"))).toEqual([]);
  });

  test("processor time is left out when the kernel does not count", async () => {
    using world = given({ domains: [one], limitSeconds: 1000 });
    world.processes.put(A);
    expect((await monitored(world))[`1 ${A}`]?.filter((line) => line.startsWith("CPU"))).toEqual([]);
  });
});

test("numbers of a guest are told as it wrote them, also where JavaScript would round them", async () => {
  const files = { [`${CONF}/guestagent.conf`]: ":enabled: true\n:commands:\n  :time: one-$vm_id '{\"execute\":\"guest-get-time\"}'\n" };
  using world = host({ domains: [one], files });
  world.hypervisor.next("guest.command", () => Promise.reject(new Error("no system")));
  world.hypervisor.next("guest.command", () => Promise.reject(new Error("no addresses")));
  world.hypervisor.next("guest.command", () => Promise.resolve('{"return":[1700000000000000001,{"big":[-9007199254740993,1.5]}]}'));
  expect((await monitored(world))[`1 ${A}`]?.at(-1)).toBe('TIME=1700000000000000001, {"big":[-9007199254740993,1.5]}');
});

describe("wild_vm", () => {
  test("a domain that vanishes or cannot be read is left out, and the others are reported", async () => {
    const xml = `<domain><name>one-12-copy</name><memory>49152</memory><vcpu>2</vcpu><os><type arch='x86_64'>hvm</type></os><devices/></domain>`;
    using world = host({ domains: [{ name: 'a"b', uuid: B, xml: "<domain" }, { ...wild, xml }, one] });
    const text = await runProbe("host/system/wild_vm", world);
    expect(text).toMatch(new RegExp(`^VM = \\[ID="-1", DEPLOY_ID="${W}", VM_NAME="one-12-copy", IMPORT_TEMPLATE="[A-Za-z0-9+/=]+"\\]\n$`));
    expect(Buffer.from(/IMPORT_TEMPLATE="(.*)"/.exec(text)?.[1] ?? "", "base64").toString()).toBe(`NAME="one-12-copy"\nCPU=2\nVCPU=2\nMEMORY=48\nHYPERVISOR="kvm"\nDEPLOY_ID="${W}"\nOS=[ARCH="x86_64"]\n`);
    world.hypervisor.fails("domainXml", "DOMAIN_NOT_FOUND", { times: 2 });
    expect(await runProbe("host/system/wild_vm", world)).toBe("");
  });
});
