import { beforeEach, describe, expect, test } from "bun:test";
import { DEFAULT_PERIODS } from "../../../src/core/monitor-configuration.ts";
import { forgetSync, noteEvent, run, startOver, stateSource } from "../../../src/probes/vm-status.ts";
import { type Given, given as givenAny, type World } from "../../fakes/world.ts";

const [A, B] = ["aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee"];
const VMS = [{ name: "one-1", uuid: A }, { name: "one-2", uuid: B, state: "paused", reason: 1 }, { name: "wild", uuid: "cccccccc-bbbb-4ccc-8ddd-eeeeeeeeeeee" }] as const;
const CANCEL = "/var/tmp/one/vmm/kvm/cancel";

const CONF = "/var/tmp/one/etc/im/kvm-probes.d/probe_db.conf";

/** A host whose actions are ours, with the settings of upstream's package. */
const given = ({ files, ...more }: Given = {}) => givenAny({ files: { [CANCEL]: "#!/bin/sh\n# Launcher of onevirt: …", [CONF]: ":obsolete: 720\n:times_missing: 5\n", ...files }, ...more });
const request = { driver: "kvm", hostId: 3, hostName: "h", configuration: { datastoreLocation: "/d", periods: DEFAULT_PERIODS } } as const;
const look = (world: World) => run(request, world);
/** The same, a period later. */
const lookLater = (world: World) => (world.clock.pass(DEFAULT_PERIODS.STATE_VM * 1000), look(world));
const line = (id: number, uuid: string, state: string) => `VM = [ ID="${id}", DEPLOY_ID="${uuid}",  STATE="${state}" ]\n`;
const SYNC = "SYNC_STATE=yes\nMISSING_STATE=POWEROFF\n";
const endOf = (world: World, uuid: string, detail: number) => noteEvent({ uuid, name: "", kind: "stopped", detail }, world);

beforeEach(() => startOver(0, given()));

describe("vm/status", () => {
  test("vm/status says everything first, then changes only, in upstream's form", async () => {
    using world = given({ domains: VMS });
    const first = await look(world);
    const second = await look(world);
    world.hypervisor.become(B, "running", 5);
    expect([first, second, await look(world)]).toEqual([`${SYNC}${line(1, A, "RUNNING")}${line(2, B, "SUSPENDED")}`, "", line(2, B, "RUNNING")]);
  });

  test("vm/status reads no file in a pass in which nothing has happened, and misses nothing that happens then", async () => {
    using world = given({ domains: VMS.slice(0, 1) });
    world.processes.put(A);
    await look(world);
    const asked: (string | symbol)[] = [];
    const files = new Proxy(world.files, { get: (target, name) => (asked.push(name), Reflect.get(target, name) as unknown) });
    await run(request, { ...world, files });
    const first = asked.splice(0).length;
    const quiet = [await run(request, { ...world, files }), await run(request, { ...world, files })];
    world.clock.pass(60_000);
    world.processes.end(A);
    endOf(world, A, 1); // the list still has it
    const ending = await look(world);
    world.hypervisor.end(A);
    expect([first > 0, quiet, asked, ending, await look(world)]).toEqual([true, ["", ""], [], "", line(1, A, "POWEROFF")]);
  });

  test("vm/status says everything again at the period of the sync, and when the last report did not arrive", async () => {
    using world = given({ domains: VMS });
    await look(world);
    world.clock.pass(181_000);
    const later = await look(world);
    forgetSync(3, world);
    expect([later.startsWith(SYNC), (await look(world)).startsWith(SYNC)]).toEqual([true, true]);
  });

  test("vm/status reports a VM whose end libvirt told at once, when its process is gone", async () => {
    using world = given({ domains: VMS });
    world.processes.put(A);
    await look(world);
    world.clock.pass(60_000);
    await look(world);
    world.hypervisor.end(A);
    endOf(world, A, 1);
    const processLives = await look(world);
    world.processes.end(A);
    expect([processLives, await look(world), await look(world)]).toEqual(["", line(1, A, "POWEROFF"), ""]);
  });

  test.each([3, 4])("vm/status leaves a VM that was migrated or saved (detail %d) to the action", async (detail) => {
    using world = given({ domains: VMS });
    await look(world);
    world.hypervisor.end(A);
    endOf(world, A, detail);
    expect([await look(world), await look(world)]).toEqual(["", ""]);
  });

  test("vm/status holds an end back while an action has the lock, and afterwards believes only long absence", async () => {
    using world = given({ domains: VMS });
    await look(world);
    world.hypervisor.end(A);
    endOf(world, A, 1);
    const release = world.locks.hold(A, "one-1", "shutdown");
    const held = await look(world);
    release();
    const after = [];
    for (let passes = 0; passes < 6; passes++) after.push(await lookLater(world));
    expect([held, after]).toEqual(["", ["", "", "", "", "", line(1, A, "POWEROFF")]]);
  });

  test.each(["shutdown", "stopped"] as const)("vm/status leaves an end to the action that had the lock at the event (%s), also when it has ended since", async (kind) => {
    using world = given({ domains: VMS });
    await look(world);
    const release = world.locks.hold(A, "one-1", "cancel");
    noteEvent({ uuid: A, name: "one-1", kind, detail: 1 }, world);
    release();
    world.hypervisor.end(A);
    endOf(world, A, 1);
    const after = [];
    for (let passes = 0; passes < 6; passes++) after.push(await lookLater(world));
    expect(after).toEqual(["", "", "", "", "", line(1, A, "POWEROFF")]);
  });

  test("vm/status reported an end at once whose action had heard of it first and had given its lock back", async () => {
    using world = given({ domains: VMS });
    await look(world);
    const release = world.locks.hold(A, "one-1", "shutdown");
    await look(world);
    release();
    world.hypervisor.end(A);
    endOf(world, A, 1);
    const soon = await look(world);
    world.hypervisor.end(B);
    world.clock.pass(11_000);
    endOf(world, B, 1);
    expect([soon, await look(world)]).toEqual(["", line(2, B, "POWEROFF")]);
  });

  test("vm/status does not hurry while upstream's scripts are switched on: they take no lock", async () => {
    using world = given({ domains: VMS, files: { "/etc/onevirt/off": "" } });
    await look(world);
    world.hypervisor.end(A);
    endOf(world, A, 1);
    expect(await look(world)).toBe("");
  });

  test.each([["OpenNebula's own", "#!/bin/bash\n# kills a VM\n"], ["no", ""]])("vm/status does not hurry where %s scripts act: they take no lock", async (_whose, text) => {
    using world = given({ domains: VMS, files: { [CANCEL]: text } });
    await look(world);
    world.hypervisor.end(A);
    endOf(world, A, 1);
    expect(await look(world)).toBe("");
  });

  test("vm/status does not claim to be complete while a VM is being deployed, but not for ever", async () => {
    using world = given({ domains: VMS });
    await look(world);
    world.clock.pass(60_000);
    await look(world);
    world.clock.pass(121_000);
    const release = world.locks.hold("dddddddd-bbbb-4ccc-8ddd-eeeeeeeeeeee", "one-3", "deploy");
    const busy = await look(world);
    world.clock.pass(361_000);
    const long = await look(world);
    release();
    expect([busy, long.startsWith(SYNC)]).toEqual(["", true]);
  });

  test("vm/status believes a pid file when the command line of the process cannot be read", async () => {
    using world = given({ domains: VMS });
    world.processes.pidFiles.set("one-1", 4711);
    await look(world);
    world.clock.pass(60_000);
    await look(world);
    world.hypervisor.end(A);
    endOf(world, A, 5);
    const lives = await look(world);
    world.processes.pidFiles.clear();
    expect([lives, await look(world)]).toEqual(["", line(1, A, "POWEROFF")]);
  });

  test("vm/status says who answers, and once that libvirt does not", async () => {
    using world = given({ domains: VMS });
    world.hypervisor.fails("list", "TIMED_OUT", { times: 2 });
    await look(world);
    await look(world);
    const meanwhile = stateSource();
    await look(world);
    expect([meanwhile, stateSource(), world.log.lines.length]).toEqual(["processes", "libvirt", 2]);
  });

  test("vm/status without libvirt says nothing of VMs whose processes run, and never syncs", async () => {
    using world = given({ domains: VMS });
    world.processes.put(A);
    world.processes.put(B);
    await look(world);
    world.clock.pass(60_000);
    await look(world);
    world.clock.pass(181_000);
    world.hypervisor.fails("list", "LIBVIRT_UNREACHABLE", { times: 10 });
    const said = [];
    for (let passes = 0; passes < 10; passes++) said.push(await look(world));
    expect(said).toEqual(Array.from({ length: 10 }, () => ""));
    expect((await look(world)).startsWith(SYNC)).toBe(true);
  });

  test("vm/status calls a VM gone when libvirtd is down and its process has been gone for long; a libvirtd that hangs says nothing", async () => {
    using down = given({ domains: VMS });
    using hung = given({ domains: VMS });
    for (const world of [down, hung]) {
      world.processes.put(B);
      await look(world);
      world.clock.pass(60_000);
      await look(world);
    }
    down.hypervisor.fails("list", "LIBVIRT_UNREACHABLE", { times: 6 });
    hung.hypervisor.fails("list", "TIMED_OUT", { times: 6 });
    const say = async (world: World) => (await Array.fromAsync({ length: 6 }, () => lookLater(world))).join("");
    expect([await say(down), await say(hung)]).toEqual([line(1, A, "POWEROFF"), ""]);
  });

  test("vm/status counted each pass that an event had asked for as a period without the VM", async () => {
    using world = given({ domains: VMS });
    await look(world);
    world.clock.pass(60_000);
    await look(world);
    world.hypervisor.end(A);
    const said = await Array.fromAsync({ length: 20 }, () => (world.clock.pass(100), look(world)));
    expect(said.join("")).toBe("");
  });

  test.each([
    [":times_missing: 1\n", 2], [":times_missing: 0\n", 1], ["--- {}\n", 4], [":times_missing: soon\n", 4], [":times_missing: -1\n", 4], ["[", 4], ["", 4],
  ])("vm/status believes absence as probe_db.conf (%j) says: in pass %d without the VM", async (text, passes) => {
    using world = given({ domains: VMS, files: { [CONF]: text } });
    await look(world);
    world.clock.pass(60_000);
    await look(world);
    world.hypervisor.end(A);
    const said = await Array.fromAsync({ length: passes }, () => lookLater(world));
    expect(said).toEqual([...Array.from({ length: passes - 1 }, () => ""), line(1, A, "POWEROFF")]);
  });

  test("vm/status complains of a probe_db.conf that cannot be read once, not in every pass", async () => {
    using world = given({ domains: VMS, files: { [CONF]: "[unreadable" } });
    await look(world);
    await look(world);
    expect(world.log.lines.filter((text) => text.includes("probe_db.conf"))).toHaveLength(1);
  });

  test.each([[60, true], [61 * 60, false]])("vm/status of a new process, %d s after the last, knows the VMs of the old one: %p", async (seconds, known) => {
    using world = given({ domains: VMS, files: { [CONF]: ":obsolete: 60\n" } });
    await look(world);
    world.hypervisor.end(A);
    world.clock.pass(seconds * 1000);
    startOver(3, world);
    expect((await look(world)).includes(line(1, A, "RUNNING"))).toBe(known);
  });

  test("vm/status of a new process keeps what was known, and begins with everything", async () => {
    using world = given({ domains: VMS });
    await look(world);
    startOver(3, world);
    world.hypervisor.end(A);
    expect(await look(world)).toBe(`${SYNC}${line(2, B, "SUSPENDED")}${line(1, A, "RUNNING")}`);
  });

  test("vm/status writes nothing when nothing has changed", async () => {
    using world = given({ domains: VMS });
    await look(world);
    world.state.full = true;
    expect(await look(world)).toBe("");
  });
});
