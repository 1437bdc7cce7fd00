import { beforeAll, describe, expect, test } from "bun:test";
import { inflateSync } from "node:zlib";
import { CollectdClient } from "../../../src/agent/collectd-client.ts";
import type { ForeignProbe } from "../../../src/agent/ports.ts";
import { DEFAULT_PERIODS } from "../../../src/core/monitor-configuration.ts";
import { probes } from "../../../src/probes/table.ts";
import { given, type Given } from "../../fakes/world.ts";
import { HandClock } from "./clock.ts";

const VM = { name: "one-1", uuid: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee" };

// A hand clock would not wait for a file that is loaded on first use.
beforeAll(() => Promise.all(Object.values(probes).filter(({ category }) => category === "collectd").map(({ load }) => load())));

/** A report taken apart as collectd and oned of 5.x do, by rules written down apart from ours. */
function decode(message: string) {
  const [, status = "", hostId, payload = ""] = /^MONITOR (SUCCESS|FAILURE) (\d+) ([A-Za-z0-9+/]+={0,2})\n$/.exec(message) ?? [];
  return { status, hostId: Number(hostId), text: inflateSync(Buffer.from(payload, "base64")).toString("utf8") };
}

/** A client whose directory holds these programs (a text is what one prints; "!" begins an error; ours do their work), reporting every 20 s. */
function clientOf(programs: Readonly<Record<string, string | (() => Promise<string>)>>, more: Given = {}) {
  const clock = new HandClock();
  const world = given({ version: "5.10.1", domains: [VM], ...more });
  const heard: { at: number; bytes: number; status: string; hostId: number; text: string }[] = [];
  const front = { down: false };
  const udp = async (message: string) => {
    if (front.down) throw new Error("network is unreachable");
    heard.push({ at: clock.monotonicMs() / 1000, bytes: message.length, ...decode(message) });
  };
  const filesOf = (): readonly ForeignProbe[] => Object.entries(programs).map(([file, does]) => ({ file, run: async () => resultOf(typeof does === "string" ? does : await does()) }));
  const request = { driver: "kvm", hostId: 3, hostName: "h", configuration: { datastoreLocation: "/d", periods: DEFAULT_PERIODS } } as const;
  const client = new CollectdClient(request, 20, { transport: { udp, tcp: () => Promise.reject(new Error("there is no TCP in 5.x")) }, filesOf, contextFor: () => ({ ...world, clock }) });
  return { client, clock, world, heard, front };
}

function resultOf(text: string) {
  return text.startsWith("!") ? { exitCode: 3, stdout: "lost", stderr: `${text.slice(1)}\n` } : { exitCode: 0, stdout: text, stderr: "" };
}

/** Lets a first answer come that waits for nobody but samples of processor time. */
async function answerOf({ client, clock }: ReturnType<typeof clientOf>): Promise<string> {
  const answer = client.firstAnswer();
  answer.catch(() => undefined);
  await clock.pass(50);
  return answer;
}

const POLL = { "poll.sh": "own" };

describe("CollectdClient.firstAnswer()", () => {
  test("firstAnswer() holds what all probes say, in the order of their names", async () => {
    const answer = await answerOf(clientOf({ "a.sh": "A=1\n", ...POLL, "z.sh": "Z=2" }));
    expect(answer.replace(/MEMORY=.*"/, 'MEMORY=…"')).toBe('A=1\nVM_POLL=YES\nVM=[\n  ID=1,\n  DEPLOY_ID=one-1,\n  POLL="STATE=a MEMORY=…" ]\nZ=2\n');
  });

  test("firstAnswer() leaves out what failed and what does not come back, and fails only when nothing is known", async () => {
    const some = clientOf({ "a.sh": "!no lspci", "b.sh": () => new Promise<string>(() => undefined), "c.sh": "C=1" });
    expect([await answerOf(some), some.world.log.lines] as unknown[]).toEqual(["C=1\n", ["WARN: Error executing a.sh: no lspci; Error executing b.sh: no answer within 45 s"]]);
    expect(answerOf(clientOf({ "a.sh": "!no luck" }))).rejects.toThrow("Error executing a.sh: no luck");
  });
});

describe("CollectdClient.run()", () => {
  test("run() reports after its share of the interval, then at the interval, and at once when it is asked", async () => {
    const { client, clock, heard } = clientOf({ "a.sh": "A=1" });
    void client.run(0.35);
    await clock.pass(50);
    client.sendNow();
    await clock.pass(21);
    client.stop();
    expect(heard.map(({ at, status, hostId, text }) => [at, status, hostId, text])).toEqual([7, 27, 47, 50, 67].map((at) => [at, "SUCCESS", 3, "A=1\n"]));
  });

  test("run() sends what is known, says again what a failed probe said, and never a list of VMs that was complete before", async () => {
    let broken = false;
    const { client, clock, heard, world } = clientOf({ ...POLL, "host.rb": async () => (broken ? "!gone" : "TOTALCPU=200") });
    void client.run(0);
    await clock.pass(5);
    broken = true;
    world.hypervisor.fails("stats", "LIBVIRT_UNREACHABLE");
    await clock.pass(20);
    client.stop();
    expect(heard.map(({ status, text }) => [status, text.includes("VM_POLL=YES"), text.includes("TOTALCPU=200")])).toEqual([["SUCCESS", true, true], ["SUCCESS", false, true]]);
  });

  test("run() takes no list for complete while a VM is being deployed, but not for ever", async () => {
    const { client, clock, heard, world } = clientOf(POLL);
    const done = world.locks.hold("x", "one-2", "deploy");
    void client.run(0);
    await clock.pass(45);
    done();
    await clock.pass(20);
    world.locks.hold("x", "one-2", "deploy");
    await clock.pass(80);
    client.stop();
    expect(heard.map(({ text }) => text.includes("VM_POLL=YES"))).toEqual([false, false, false, true, false, false, false, true]);
  });

  test("run() does not wait for a program that does not come back, and lists VMs when all others have ended", async () => {
    let starts = 0;
    const { client, clock, heard, world } = clientOf({ "a.sh": () => new Promise<string>(() => void starts++), ...POLL });
    void client.run(0);
    await clock.pass(10);
    world.hypervisor.become(VM.uuid, "paused", 5);
    await clock.pass(75);
    client.stop();
    expect([starts, heard.map(({ text }) => /STATE=(.)/.exec(text)?.[1])] as unknown[]).toEqual([1, ["e", "e", "e", "e", "e"]]);
  });

  test("run() calls a host broken only when nothing at all has been known three times", async () => {
    const { client, clock, heard } = clientOf({ "a.sh": "!no luck" });
    void client.run(0);
    await clock.pass(15);
    client.stop();
    expect(heard.map(({ at, status, text }) => [at, status, text])).toEqual([[2, "FAILURE", "Error executing a.sh: no luck"]]);
  });

  test("run() goes on when a datagram cannot leave, and tries again soon", async () => {
    const { client, clock, heard, front } = clientOf({ "a.sh": "A=1" });
    front.down = true;
    void client.run(0);
    await clock.pass(2.5);
    front.down = false;
    await clock.pass(20);
    client.stop();
    expect([heard.map(({ at }) => at), client.counts] as unknown[]).toEqual([[3, 20], { sent: 2, failed: 3 }]);
  });

  test("run() keeps the host and the states of all VMs when a report is too long, and leaves out what matters least", async () => {
    const noise = () => Buffer.from(crypto.getRandomValues(new Uint8Array(60_000))).toString("base64");
    const domains = [...Array(400)].map((_, index) => ({ name: `wild-${index}`, uuid: `aaaaaaaa-bbbb-4ccc-8ddd-${String(index).padStart(12, "0")}`, xml: `<domain><name>${noise().slice(0, 800)}</name><memory>1</memory><vcpu>1</vcpu><os><type arch="x86_64">hvm</type></os></domain>` }));
    const { client, clock, heard, world } = clientOf({ "a.sh": `NOISE="${noise()}"`, "name.sh": "own", ...POLL }, { domains, files: { "/proc/sys/kernel/hostname": "host7\n" } });
    void client.run(0);
    await clock.pass(10);
    client.stop();
    const [{ bytes = 0, text = "" } = {}] = heard;
    expect([bytes <= 65_000, /HOSTNAME=host7/.test(text), text.includes("NOISE"), text.includes("IMPORT_TEMPLATE"), text.includes("VM_POLL=YES"), text.match(/STATE=a /g)?.length]).toEqual([true, true, false, false, true, 400]);
    expect(world.log.lines.at(-1)).toBe("WARN: The report is too long for a datagram, so it lacks templates of wild VMs, what other people's probes say");
  });
});
