import { beforeAll, describe, expect, test } from "bun:test";
import { Agent } from "../../../src/agent/agent.ts";
import { HostFacts } from "../../../src/agent/host-facts.ts";
import { DEFAULT_PERIODS, type MonitorConfiguration } from "../../../src/core/monitor-configuration.ts";
import { FakeLog, FakeState } from "../../fakes/host.ts";
import { given, type World } from "../../fakes/world.ts";
import { HandClock } from "./clock.ts";
import { decode } from "./wire.ts";

const configuration: MonitorConfiguration = { hostId: 3, address: "", port: 1, publicKey: undefined, periods: DEFAULT_PERIODS, datastoreLocation: "/d" };
const WILD = { name: "wild", uuid: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", xml: "<domain><name>wild</name><memory>1024</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os><devices/></domain>" };

/** The agent of a host with a wild VM, whose libvirt may be away; every SYSTEM_HOST that the front-end hears. */
function agentOf({ state, up = true, domains = [WILD] }: { readonly state?: World["state"]; readonly up?: boolean; readonly domains?: readonly (typeof WILD)[] } = {}) {
  const clock = new HandClock();
  const fake = given({ domains });
  const world = { ...fake, clock, state: state ?? fake.state };
  const libvirt = { up };
  const list = fake.hypervisor.list.bind(fake.hypervisor);
  Object.assign(fake.hypervisor, { list: async (deadline: Parameters<typeof list>[0]) => (libvirt.up ? list(deadline) : Promise.reject(new Error("libvirt is away"))) });
  const heard: { readonly at: number; readonly status: string; readonly text: string }[] = [];
  const take = async (message: string) => {
    const { type, status, text } = decode(message);
    if (type === "SYSTEM_HOST") heard.push({ at: clock.monotonicMs() / 1000, status, text: text.replace(/ IMPORT_TEMPLATE="[^"]*"/, "") });
  };
  const filesOf = (category: string) => (category === "host/system" ? ["a.sh", "wild_vm.rb"].map((file) => ({ file, run: async () => ({ exitCode: 0, stdout: "A=1\n", stderr: "" }) })) : []);
  const agent = new Agent({ driver: "kvm", hostId: 3, hostName: "h", configuration }, configuration, { transport: { udp: take, tcp: take }, filesOf, contextFor: () => world });
  return { agent, clock, world, heard, libvirt };
}

const WHOLE = `A=1\nVM = [ID="-1", DEPLOY_ID="${WILD.uuid}", VM_NAME="wild",]`;

describe("a list of the host whose probe fails", () => {
  // Loaded on first use, which takes time that the clock of a test does not have.
  beforeAll(() => import("../../../src/probes/wild-vms.ts"));

  test("a new agent said that there is no wild VM before it had known of any; now it waits for the list", async () => {
    const { agent, clock, heard, libvirt } = agentOf({ up: false });
    const answer = await agent.firstAnswer();
    void agent.run();
    await clock.pass(30);
    const early = [...heard];
    libvirt.up = true;
    await clock.pass(20);
    agent.stop();
    expect({ answer: answer.includes("SYSTEM_HOST"), early, heard }).toEqual({ answer: false, early: [], heard: [{ at: 41, status: "SUCCESS", text: WHOLE }] });
  });

  test("what is known is sent when the list does not come within a minute and three passes, and the list when it comes", async () => {
    const { agent, clock, heard, libvirt, world } = agentOf({ up: false });
    void agent.run();
    await clock.pass(100);
    libvirt.up = true;
    agent.refreshSystem();
    await clock.pass(1);
    agent.stop();
    expect(heard).toEqual([{ at: 73, status: "SUCCESS", text: "A=1" }, { at: 100, status: "SUCCESS", text: WHOLE }]);
    expect(world.log.lines).toContain("WARN: Error executing wild_vm.rb: libvirt is away");
  });

  test("the agent that follows says what the probe said to the one before, in its first answer too", async () => {
    const first = agentOf();
    void first.agent.run();
    await first.clock.pass(1);
    first.agent.stop();
    const { agent, clock, heard } = agentOf({ state: first.world.state, up: false });
    const answer = Buffer.from(/<SYSTEM_HOST>([^<]*)</.exec(await agent.firstAnswer())?.[1] ?? "", "base64").toString();
    void agent.run();
    await clock.pass(1);
    agent.stop();
    expect([answer.includes(WILD.uuid), heard]).toEqual([true, [{ at: 0, status: "SUCCESS", text: WHOLE }]] as unknown[] as [boolean, typeof heard]);
  });

  test("an empty list is a list: a probe that said nothing is believed when it fails", async () => {
    const { agent, clock, heard, libvirt } = agentOf({ domains: [] });
    void agent.run();
    await clock.pass(1);
    libvirt.up = false;
    agent.refreshSystem();
    await clock.pass(1);
    agent.stop();
    expect(heard.map(({ text }) => text)).toEqual(["A=1", "A=1"]);
  });
});

describe("HostFacts", () => {
  const facts = (state = new FakeState(), clock = new HandClock()) => ({ state, clock, make: () => new HostFacts(3, { state, clock, log: new FakeLog() }) });

  test("keep() writes what has changed, and the rest once in an hour", async () => {
    const { state, clock, make } = facts();
    const written = () => (state.read("host-facts-3") as { writtenAt: number } | undefined)?.writtenAt;
    const one = make();
    const times: unknown[] = [];
    for (const [seconds, text] of [[0, undefined], [600, "A"], [600, "A"], [600, "B"], [3000, "B"], [600, "B"]] as const) {
      await clock.pass(seconds);
      if (text !== undefined) one.note("x", text);
      one.keep();
      times.push(((written() ?? Number.NaN) - 1_700_000_000_000) / 1000);
    }
    expect([times, make().find("x")]).toEqual([[Number.NaN, 600, 600, 1800, 1800, 5400], "B"]);
  });

  test("find() knows nothing of a file that is a day old, of another kind, or cannot be written", async () => {
    const { state, clock, make } = facts();
    make().note("x", "A");
    for (const value of [undefined, 7, { writtenAt: "now", said: { x: "A" } }, { writtenAt: clock.nowMs(), said: "A" }, { writtenAt: clock.nowMs(), said: { x: 1 } }, { writtenAt: clock.nowMs() - 25 * 3_600_000, said: { x: "A" } }]) {
      if (value !== undefined) state.write("host-facts-3", value);
      expect(make().find("x")).toBeUndefined();
    }
    state.full = true;
    const one = make();
    one.note("x", "A");
    one.keep();
    expect(one.find("x")).toBe("A");
  });
});
