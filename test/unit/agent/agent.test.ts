import { beforeAll, describe, expect, test } from "bun:test";
import { Agent } from "../../../src/agent/agent.ts";
import type { ForeignProbe } from "../../../src/agent/ports.ts";
import { readStatus } from "../../../src/agent/status.ts";
import { DEFAULT_PERIODS, type MonitorConfiguration } from "../../../src/core/monitor-configuration.ts";
import { given, type Given, type World } from "../../fakes/world.ts";
import { HandClock } from "./clock.ts";
import { decode } from "./wire.ts";

const UUID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const configuration: MonitorConfiguration = { hostId: 3, address: "", port: 1, publicKey: undefined, periods: DEFAULT_PERIODS, datastoreLocation: "/d" };

/** What a test may say of the world beside the domains; another agent's state, when that ran before. */
interface Before extends Given {
  readonly state?: World["state"];
  /** Seconds by which the wall clock is off. */
  readonly step?: number;
}

/** An agent whose directories hold these programs (a text is what one prints; "!" begins an error), and what the front-end hears. */
function agentOf(programs: Readonly<Record<string, string | (() => Promise<string>)>>, { state, step = 0, ...more }: Before = {}) {
  const clock = new HandClock();
  clock.step = step * 1000;
  const fake = given({ domains: [{ name: "one-1", uuid: UUID }], ...more });
  const world = { ...fake, state: state ?? fake.state };
  const heard: { at: number; by: string; type: string; status: string; timestamp: number; text: string }[] = [];
  const front = { down: false, tcpHangs: false };
  const take = (by: string) => async (message: string) => {
    if (by === "tcp" && front.tcpHangs) await clock.sleep(10_000);
    if (front.down || (by === "tcp" && front.tcpHangs)) throw new Error("connection refused");
    const { type, status, timestamp, text } = decode(message);
    heard.push({ at: clock.monotonicMs() / 1000, by, type, status, timestamp, text });
  };
  const filesOf = (category: string): readonly ForeignProbe[] => Object.entries(programs).filter(([path]) => path.slice(0, path.lastIndexOf("/")) === category).map(([path, does]) => ({ file: path.slice(path.lastIndexOf("/") + 1), run: async () => resultOf(typeof does === "string" ? does : await does()) }));
  const agent = new Agent({ driver: "kvm", hostId: 3, hostName: "h", configuration }, configuration, { transport: { udp: take("udp"), tcp: take("tcp") }, filesOf, contextFor: () => ({ ...world, clock }) });
  const texts = (type: string) => heard.filter((each) => each.type === type).map(({ text }) => text);
  return { agent, clock, world, heard, front, texts };
}

function resultOf(text: string) {
  return text.startsWith("!") ? { exitCode: 3, stdout: "lost", stderr: `${text.slice(1)}\n` } : { exitCode: 0, stdout: text, stderr: "" };
}

const STATE = { "vm/status/state.rb": "own" };

describe("Agent.firstAnswer()", () => {
  const part = (answer: string, type: string) => [...answer.matchAll(new RegExp(`<${type}>([^<]*)</${type}>`, "g"))].map(([, text = ""]) => Buffer.from(text, "base64").toString());

  test("firstAnswer() holds all categories in upstream's order, and a line end for an empty one", async () => {
    const { agent } = agentOf({ ...STATE, "host/system/a.sh": "A=1\n", "host/system/b.sh": "B=2" });
    const answer = await agent.firstAnswer();
    expect([answer.replace(/>[\w+/=]+</g, "><").replaceAll("\n", " ").trim(), part(answer, "SYSTEM_HOST"), part(answer, "STATE_VM")] as unknown[]).toEqual([
      "<MONITOR_MESSAGES><SYSTEM_HOST></SYSTEM_HOST> <MONITOR_HOST></MONITOR_HOST> <STATE_VM></STATE_VM> <EXEC_VM></EXEC_VM> <MONITOR_VM></MONITOR_VM> <MONITOR_VM></MONITOR_VM> <TIMESTAMP></TIMESTAMP></MONITOR_MESSAGES>",
      ["A=1\nB=2\n"], [`SYNC_STATE=yes\nMISSING_STATE=POWEROFF\nVM = [ ID="1", DEPLOY_ID="${UUID}",  STATE="RUNNING" ]\n`],
    ]);
  });

  test.each(["usage: x [-h]\n", 'A="never closed\n', 'A="]]>"\n', "A=two words\n"])("an administrator's program that says %j is named, and the others are reported", async (text) => {
    const { agent, world } = agentOf({ "host/system/a.sh": text, "host/system/b.sh": "B=2\n" });
    expect(part(await agent.firstAnswer(), "SYSTEM_HOST")).toEqual(["B=2\n"]);
    expect(world.log.lines.join()).toContain("Error executing a.sh: Cannot read its output line 1");
  });

  test("firstAnswer() leaves out what failed, and what does not come back, and says so", async () => {
    const { agent, clock, world } = agentOf({ "host/system/a.sh": "!no lspci", "host/monitor/b.sh": () => new Promise<string>(() => undefined), "vm/monitor/c.sh": "VM = []" });
    const answer = agent.firstAnswer();
    await clock.pass(50);
    expect([part(await answer, "SYSTEM_HOST"), part(await answer, "MONITOR_HOST"), part(await answer, "MONITOR_VM"), world.log.lines]).toEqual([[], [], ["VM = []\n", "\n"], ["WARN: Error executing a.sh: no lspci"]]);
  });
});

describe("Agent.firstAnswer() and what it must not do", () => {
  test("firstAnswer() took results of commands, and snapshots, that nobody may ever read", async () => {
    let passes = 0;
    const { agent, clock, texts } = agentOf({ "vm/execution/a.sh": async () => (passes++, "VM = [ PID=1 ]\n"), "vm/snapshot/b.sh": async () => (passes++, "VM = [ ID=1 ]\n") });
    await agent.firstAnswer();
    const before = passes;
    void agent.run();
    await clock.pass(1);
    agent.stop();
    expect([before, texts("EXEC_VM"), texts("MONITOR_VM")]).toEqual([0, ["VM = [ PID=1 ]"], ["VM = [ ID=1 ]"]] as unknown[] as [number, string[], string[]]);
  });

  test("firstAnswer() of an agent after a clock that went back was older than what onemonitord had, and all that followed", async () => {
    const first = agentOf({ "host/monitor/a.sh": "A=1" });
    void first.agent.run();
    await first.clock.pass(40);
    first.agent.stop();
    const { agent, clock, heard } = agentOf({ "host/monitor/a.sh": "A=1" }, { state: first.world.state, step: -3600 });
    const time = Number(/<TIMESTAMP>(\d+)</.exec(await agent.firstAnswer())?.[1]);
    void agent.run();
    await clock.pass(1);
    agent.stop();
    const last = Math.max(...first.heard.map(({ timestamp }) => timestamp));
    expect({ answer: time >= last, others: heard.map(({ timestamp }) => timestamp >= time) }).toEqual({ answer: true, others: [true, true] });
  });

  test("firstAnswer() of an agent that follows another at once has the time that it is", async () => {
    const first = agentOf({});
    void first.agent.run();
    await first.clock.pass(1);
    first.agent.stop();
    expect(await agentOf({}, { state: first.world.state, step: 2 }).agent.firstAnswer()).toContain("<TIMESTAMP>1700000002</TIMESTAMP>");
  });
});

describe("Agent.stop()", () => {
  test("stop() kept no time, so that after a small step of the clock the next agent was older than the last messages of the one before", async () => {
    const programs = { "vm/execution/a.sh": "VM = [ PID=1 ]\n" };
    const first = agentOf(programs);
    void first.agent.run();
    await first.clock.pass(25);
    first.agent.stop();
    const { agent, clock, heard } = agentOf(programs, { state: first.world.state, step: 5 });
    void agent.run();
    await clock.pass(1);
    agent.stop();
    const last = Math.max(...first.heard.map(({ timestamp }) => timestamp));
    expect([last, heard.length > 0, heard.every(({ timestamp }) => timestamp >= last)]).toEqual([1_700_000_025, true, true]);
  });

  test("stop() ends run() at once, while it listens and while it waits to listen again", async () => {
    const listening = agentOf({});
    const deaf = agentOf({});
    Object.assign(deaf.world.hypervisor, { watchLifecycle: () => Promise.reject(new Error("no events")) });
    for (const { agent, clock } of [listening, deaf]) {
      const run = agent.run();
      await clock.pass(1);
      agent.stop();
      await run; // no time passes any more
    }
    expect([listening, deaf].map(({ world }) => readStatus(world.state)?.listening)).toEqual([true, false]);
  });
});

describe("an agent whose probe came too late, as when it was stopped for a while", () => {
  // Loaded on first use, which takes time that the clock of a test does not have.
  beforeAll(() => Promise.all([import("../../../src/probes/vm-status.ts"), import("../../../src/probes/vm-execution.ts")]));

  test("lost a change of state that the pass before the stop had brought: it was said to nobody", async () => {
    const { agent, clock, world, texts } = agentOf(STATE);
    void agent.run();
    await clock.pass(41); // what changes sooner is said once more anyway
    Object.assign(world.hypervisor, { list: () => clock.sleep(20_000).then(() => [{ name: "one-1", uuid: UUID, state: "paused", reason: 1 }]) });
    await clock.pass(5);
    Object.assign(world.hypervisor, { list: async () => [{ name: "one-1", uuid: UUID, state: "paused", reason: 1 }] });
    await clock.pass(40);
    agent.stop();
    expect(texts("STATE_VM").at(-1)).toContain('STATE="SUSPENDED"');
  });

  test("firstAnswer() lost a change of state when a stranger's program had let it come too late", async () => {
    const first = agentOf(STATE);
    void first.agent.run();
    await first.clock.pass(1);
    first.agent.stop();
    const { agent, clock, world, texts } = agentOf({ "vm/status/a.sh": () => clock.sleep(50_000).then(() => ""), ...STATE }, { state: first.world.state });
    const answer = agent.firstAnswer();
    await clock.pass(46);
    expect(await answer).not.toContain("STATE_VM");
    void agent.run();
    await clock.pass(3);
    Object.assign(world.hypervisor, { list: async () => [{ name: "one-1", uuid: UUID, state: "paused", reason: 1 }] });
    await clock.pass(60);
    agent.stop();
    expect(texts("STATE_VM").at(-1)).toContain('STATE="SUSPENDED"');
  });

  test("lost the results of commands, which guests tell only once", async () => {
    const { agent, clock, world, heard } = agentOf({ "vm/execution/exec.rb": "own" }, { files: { "/var/run/one/one-1": "7" } });
    const answer = JSON.stringify({ return: { exited: true, exitcode: 0 } });
    Object.assign(world.hypervisor, { guest: { command: () => clock.sleep(60_000).then(() => answer) } });
    void agent.run();
    await clock.pass(120);
    agent.stop();
    const said = heard.filter(({ type }) => type === "EXEC_VM").map(({ text }) => text);
    expect([said[0], said.at(-1)]).toEqual(["Error executing exec.rb: no answer within 31 s", 'VM = [ ID="1", PID="7", STATUS="DONE", RETURN_CODE="0", STDOUT="", STDERR="" ]']);
  });
});

describe("Agent.run()", () => {
  test("run() sends each category at its period, states by TCP", async () => {
    const { agent, clock, heard } = agentOf({ ...STATE, "host/monitor/a.sh": "A=1", "vm/snapshot/b.sh": "VM=1", "vm/execution/none.sh": "\n" });
    void agent.run();
    await clock.pass(125);
    agent.stop();
    const times = (type: string) => heard.filter((each) => each.type === type).map(({ at, by }) => `${at} ${by}`);
    expect([times("MONITOR_HOST"), times("BEACON_HOST"), times("STATE_VM"), times("MONITOR_VM"), times("EXEC_VM")]).toEqual([["0 udp", "120 udp"], ["0 udp", "30 udp", "60 udp", "90 udp", "120 udp"], ["0 tcp"], ["0 udp", "60 udp", "120 udp"], []]);
  });

  test("run() sends what is known when one probe fails, and of the host what it said before", async () => {
    let broken = false;
    const sick = async () => (broken ? "!gone" : "PCI=1\n");
    const { agent, clock, texts } = agentOf({ "host/system/a.sh": "A=1\n", "host/system/pci.sh": sick, "host/monitor/m.sh": sick, "host/monitor/n.sh": "N=1\n" });
    void agent.run();
    await clock.pass(1);
    broken = true;
    agent.refreshSystem();
    await clock.pass(120);
    agent.stop();
    expect([texts("SYSTEM_HOST"), texts("MONITOR_HOST")]).toEqual([["A=1\nPCI=1", "A=1\nPCI=1"], ["PCI=1\nN=1", "N=1"]]);
  });

  test("run() calls a host broken only when everything has failed three times; a VM category at once", async () => {
    const { agent, clock, heard } = agentOf({ "host/monitor/a.sh": "!no luck", "vm/monitor/b.sh": "!none" });
    void agent.run();
    await clock.pass(3);
    agent.stop();
    expect(heard.filter(({ status }) => status === "FAILURE").map(({ at, type, text }) => [at, type, text])).toEqual([[0, "MONITOR_VM", "Error executing b.sh: none"], [2, "MONITOR_HOST", "Error executing a.sh: no luck"]]);
  });

  test("run() leaves a program alone that does not come back, and everything else goes on", async () => {
    let starts = 0;
    const stuck = () => new Promise<string>(() => void starts++);
    const { agent, clock, texts } = agentOf({ ...STATE, "vm/monitor/a.sh": stuck, "vm/monitor/b.sh": "VM=1" });
    void agent.run();
    await clock.pass(200);
    agent.stop();
    expect({ starts, last: texts("MONITOR_VM").at(-1), beacons: texts("BEACON_HOST").length }).toEqual({ starts: 1, last: "VM=1", beacons: 7 });
  });

  test("run() gives no sign of life while a loop stands still, neither a beacon nor numbers of the host; both come back", async () => {
    const { agent, clock, front, heard } = agentOf({ ...STATE, "host/monitor/a.sh": "A=1" });
    front.tcpHangs = true; // states do not leave: nobody may believe that this host is well
    void agent.run();
    await clock.pass(400);
    front.tcpHangs = false;
    await clock.pass(140);
    agent.stop();
    const at = (type: string) => heard.filter((each) => each.type === type).map((each) => each.at);
    expect([at("BEACON_HOST").filter((each) => each < 400), at("MONITOR_HOST").filter((each) => each < 400), at("BEACON_HOST").length > 5, at("MONITOR_HOST").length > 2]).toEqual([[0, 30, 60, 90, 120], [0, 120], true, true]);
  });

  test("run() says a change of state again that could not be sent", async () => {
    const { agent, clock, front, texts, world } = agentOf(STATE);
    void agent.run();
    await clock.pass(41);
    front.down = true;
    world.hypervisor.become(UUID, "paused", 1);
    await clock.pass(8);
    front.down = false;
    await clock.pass(5);
    agent.stop();
    expect(texts("STATE_VM").slice(1)).toEqual([`SYNC_STATE=yes\nMISSING_STATE=POWEROFF\nVM = [ ID="1", DEPLOY_ID="${UUID}",  STATE="SUSPENDED" ]`]);
  });

  test("run() lost the result of a command that could not be sent; now it goes by TCP, and again, also by the next agent", async () => {
    let results = "VM = [ PID=1 ]\n";
    const program = { "vm/execution/a.sh": async () => [results, (results = "")][0] ?? "" };
    const first = agentOf(program);
    first.front.down = true;
    void first.agent.run();
    await first.clock.pass(3);
    first.agent.stop();
    const second = agentOf(program, { state: first.world.state });
    void second.agent.run();
    await second.clock.pass(30);
    second.agent.stop();
    expect([first.texts("EXEC_VM"), second.heard.filter(({ type }) => type === "EXEC_VM").map(({ by, text }) => `${by} ${text}`)]).toEqual([[], ["tcp VM = [ PID=1 ]"]]);
  });

  test("run() does not call a report complete that a slow program has made old", async () => {
    const late: { clock?: HandClock } = {};
    const { agent, clock, texts } = agentOf({ ...STATE, "vm/status/z.sh": async () => (await late.clock?.sleep(4000), "Z=1") });
    late.clock = clock;
    void agent.run();
    await clock.pass(5);
    agent.stop();
    expect(texts("STATE_VM")).toEqual([`VM = [ ID="1", DEPLOY_ID="${UUID}",  STATE="RUNNING" ]\nZ=1`]);
  });

  test("run() never sends a time that is before one that it has sent", async () => {
    const { agent, clock, heard } = agentOf({});
    void agent.run();
    await clock.pass(31);
    clock.step = -3_600_000;
    await clock.pass(60);
    agent.stop();
    expect(heard.map(({ timestamp }) => timestamp - 1_700_000_000)).toEqual([0, 30, 30, 30]);
  });

  test("run() sends a message that no datagram holds by TCP", async () => {
    const { agent, clock, heard } = agentOf({ "vm/monitor/a.sh": `A="${Buffer.from(crypto.getRandomValues(new Uint8Array(60_000))).toString("base64")}"` });
    void agent.run();
    await clock.pass(1);
    agent.stop();
    expect(heard.filter(({ type }) => type === "MONITOR_VM").map(({ by }) => by)).toEqual(["tcp"]);
  });

  test("run() reports an end that libvirt tells at once, though the disk is full", async () => {
    const { agent, clock, texts, world } = agentOf(STATE);
    world.files.writeAtomic("/var/tmp/one/vmm/kvm/cancel", "#!/bin/sh\n# Launcher of onevirt: …", 0o750);
    void agent.run();
    await clock.pass(41);
    world.state.full = true;
    world.hypervisor.end(UUID);
    world.hypervisor.tell({ uuid: UUID, name: "one-1", kind: "stopped", detail: 1 });
    await clock.pass(0.1);
    const soon = texts("STATE_VM").at(-1);
    await clock.pass(20);
    agent.stop();
    expect({ soon, beacons: texts("BEACON_HOST").length }).toEqual({ soon: `VM = [ ID="1", DEPLOY_ID="${UUID}",  STATE="POWEROFF" ]`, beacons: 3 });
  });

  test("run() listens again when libvirtd was away", async () => {
    const { agent, clock, world } = agentOf(STATE);
    void agent.run();
    await clock.pass(1);
    world.hypervisor.loseListeners();
    await clock.pass(30);
    const status = readStatus(world.state);
    world.hypervisor.tell({ uuid: UUID, name: "one-1", kind: "suspended", detail: 0 });
    await clock.pass(30);
    agent.stop();
    expect([status?.listening, readStatus(world.state)?.events, readStatus(world.state)?.states]).toEqual([true, 1, "libvirt"]);
  });
});
