import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FrontEnd } from "../support/front-end.ts";
import { haltedGuest } from "../support/halted-guest.ts";
import type { Result } from "../support/executable-tree.ts";
import { Guest, lab, on, rootOn, syncedTree, until } from "../support/lab.ts";
import { programsThat } from "../support/programs.ts";
import { driverMessage } from "../unit/actions/message.ts";

const MINUTE = 60_000;
const ONEVIRT = "/var/tmp/one/onevirt/onevirt-$(uname -m)";

let tree = "";
let front: FrontEnd;
let guest: Guest;
let halted: readonly Guest[] = [];

/** What `agent status --json` says, in part. */
interface Status {
  readonly loops: readonly { readonly category: string; readonly periodSeconds: number; readonly ageSeconds: number; readonly lastProblem?: string }[];
  readonly messages: { readonly sent: number; readonly failed: number };
  readonly events: number;
}

const configuration = () =>
  `<MONITOR_CONFIGURATION><NETWORK><MONITOR_ADDRESS><![CDATA[auto]]></MONITOR_ADDRESS><PORT>${front.port}</PORT><PUBKEY></PUBKEY></NETWORK>` +
  "<PROBES_PERIOD><BEACON_HOST>1</BEACON_HOST><STATE_VM>5</STATE_VM><SYSTEM_HOST>2</SYSTEM_HOST><MONITOR_HOST>60</MONITOR_HOST><MONITOR_VM>60</MONITOR_VM><EXEC_VM>1</EXEC_VM><SYNC_STATE_VM>600</SYNC_STATE_VM></PROBES_PERIOD><HOST_ID>9</HOST_ID></MONITOR_CONFIGURATION>";
const agent = (command: string) => on("hosta", `${ONEVIRT} agent ${command} kvm 9 hosta`, configuration());
const pids = () => programsThat((words) => words.join(" ").endsWith("monitord-client.rb kvm 9 hosta")).map(String); // the lab's hosts see the same processes

beforeAll(async () => {
  front = await FrontEnd.open();
  tree = await syncedTree(["hosta"]);
  const program = (category: string, name: string, text: string) => {
    mkdirSync(join(tree, "im/kvm-probes.d", category), { recursive: true });
    writeFileSync(join(tree, "im/kvm-probes.d", category, name), text, { mode: 0o755 });
  };
  mkdirSync(join(tree, "im/kvm.d"), { recursive: true });
  for (const [category, name] of [["vm/status", "state.rb"], ["vm/execution", "exec.rb"], ["vm/monitor", "poll.rb"], ["host/monitor", "linux_usage.rb"]] as const) program(category, name, "#!/bin/sh\nexit 7\n");
  program("host/system", "custom.sh", "#!/bin/sh\nread -r xml\necho \"CUSTOM=\\\"$1 $2 $3 ${#xml}\\\"\"\n");
  mkdirSync(join(tree, "etc/im/kvm-probes.d"), { recursive: true });
  writeFileSync(join(tree, "etc/im/kvm-probes.d/pci.conf"), ":filter: '0:0'\n"); // as the packages have it
  program("host/system", "broken.sh", "#!/bin/sh\necho lost >&2; exit 3\n");
  await lab("sync", "hosta", tree);
  await rootOn("hosta", "rm -f /var/tmp/one_db/onevirt/*.json"); // what an agent before has kept
  halted = await Promise.all([1102, 1103].map(haltedGuest));
  for (const each of halted) expect((await each.deploy("hosta")).exitCode).toBe(0);
  guest = await Guest.make(1101);
  await guest.deploy("hosta");
  await guest.ready("hosta");
}, 2 * MINUTE);
afterAll(async () => {
  await agent("stop");
  for (const each of [guest, ...halted]) await each.remove("hosta");
  await front.down();
  rmSync(tree, { recursive: true, force: true });
  rmSync(await syncedTree(["hosta"]), { recursive: true, force: true });
}, MINUTE);

/** A snapshot that the agent's libvirt is taking, of a QEMU that is stopped. An action works by itself when the agent is busy for a moment: then once more. */
async function borrowing(qemu: string): Promise<{ readonly taking: Promise<Result> }> {
  for (let tries = 0; tries < 3; tries++) {
    await rootOn("hosta", `kill -STOP ${qemu}`);
    const taking = guest.call("hosta", "snapshot_create", [guest.uuid, "0", "1101", "hosta"]);
    await until("libvirt takes it", async () => (await on("hosta", `virsh -c qemu:///system snapshot-list --name ${guest.uuid}`)).stdout.includes("snap-0"), 20);
    const { stdout: libraries } = await on("hosta", `for pid in $(pgrep -f 'snapshot_creat[e] ${guest.uuid}'); do grep -q /onevirt- /proc/$pid/maps && echo "libvirt: $(grep -c libvirt.so /proc/$pid/maps)"; done; true`);
    if (libraries === "libvirt: 0\n") return { taking };
    await rootOn("hosta", `kill -CONT ${qemu}`);
    await taking;
    await guest.call("hosta", "snapshot_delete", [guest.uuid, "snap-0", "1101", "hosta"]);
  }
  throw new Error("no action has borrowed the agent's libvirt in three tries");
}

/** Runs an action, and kills the agent while the process that `held` names, which libvirt waits for, is stopped; an action that worked by itself has nothing to say of it. */
async function killingTheAgent(held: string, action: string, words: readonly string[]): Promise<Result> {
  const holding = rootOn("hosta", `end=$(($(date +%s) + 20)); until pid=$(${held}); do [ $(date +%s) -lt $end ] || exit 1; done; kill -STOP $pid; echo $pid`);
  const acting = guest.call("hosta", action, [...words, "1101", "hosta"], driverMessage());
  const pid = (await holding).stdout.trim();
  expect(pid).toMatch(/^\d+$/);
  await on("hosta", `kill -9 ${pids()}`);
  await until("the action asks libvirt by itself", async () => (await on("hosta", `for pid in $(pgrep -f 'vmm ${action}'); do grep -q libvirt.so /proc/$pid/maps && exit 0; done; exit 1`)).exitCode === 0, 20); // it looks at a VM that libvirt still works on
  await rootOn("hosta", `kill -CONT ${pid}`);
  const result = await acting;
  expect(await agent("start")).toMatchObject({ exitCode: 0 });
  return result;
}

describe("the agent on a real host", () => {
  test("start answers with everything that is known, once, and leaves one process behind", async () => {
    const { exitCode, stdout, stderr } = await agent("start");
    const part = (name: string) => Buffer.from(new RegExp(`<${name}>([^<]*)</${name}>`).exec(stdout)?.[1] ?? "", "base64").toString();
    expect({ exitCode, stderr, system: part("SYSTEM_HOST"), states: part("STATE_VM") }).toEqual({
      exitCode: 0, stderr: "", system: expect.stringMatching(/^CUSTOM="kvm 9 hosta \d+"$/m), states: expect.stringContaining(`VM = [ ID="1101", DEPLOY_ID="${guest.uuid}",  STATE="RUNNING" ]`),
    });
    expect(pids().length).toBe(1);
    expect((await on("hosta", "cat /var/tmp/one_db/.monitor_client.pid")).stdout).toBe(pids()[0] ?? "");
  }, MINUTE);

  test("beacons, a sync of the states, and what a stranger's probe says arrive; a broken one takes nothing with it", async () => {
    await until("all have come", async () => front.texts("BEACON_HOST").length > 1 && front.texts("STATE_VM").length > 0 && front.texts("SYSTEM_HOST").length > 0, 20);
    expect({ sync: front.texts("STATE_VM")[0]?.startsWith("SYNC_STATE=yes\nMISSING_STATE=POWEROFF\n"), system: front.texts("SYSTEM_HOST")[0], failures: front.heard.filter(({ status }) => status === "FAILURE").map(({ type }) => type).filter((type) => /HOST/.test(type) && type !== "MONITOR_HOST") }).toEqual({
      sync: true, system: expect.stringMatching(/^CUSTOM=/m), failures: [],
    });
  }, MINUTE);

  test("an action borrows the agent's libvirt; the agent killed in the middle of a snapshot costs no more than a second look", async () => {
    const qemu = (await rootOn("hosta", `cat /run/libvirt/qemu/${guest.name}.pid`)).stdout.trim();
    const { taking } = await borrowing(qemu);
    await on("hosta", `kill -9 ${pids()}`);
    await rootOn("hosta", `kill -CONT ${qemu}`);
    expect(await taking).toEqual({ exitCode: 0, stdout: "snap-0\n", stderr: expect.stringMatching(/^WARN: snapshot_create: Cannot learn what became of a call to libvirt: the agent that made it ended; looked again: done\n$/) });
    expect(await agent("start")).toMatchObject({ exitCode: 0 });
    expect(await guest.call("hosta", "snapshot_delete", [guest.uuid, "snap-0", "1101", "hosta"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  }, MINUTE);

  test("the agent killed while its libvirt saves, restores or reverts a VM costs a second look as well", async () => {
    const checkpoint = `${guest.directory}/checkpoint`;
    const started = `cat /run/libvirt/qemu/${guest.name}.pid 2>/dev/null`;
    const qemu = () => rootOn("hosta", started).then(({ stdout }) => stdout.trim());
    const looked: string[] = [];
    const act = async (held: string, action: string, words: readonly string[]) => {
      const { exitCode, stderr } = await killingTheAgent(held, action, words);
      expect({ action, exitCode, stderr }).toEqual({ action, exitCode: 0, stderr: expect.stringMatching(new RegExp(`^(WARN: ${action}: Cannot learn what became of a call to libvirt: the agent that made it ended; looked again: done\n)?$`)) });
      if (stderr !== "") looked.push(action);
    };
    await guest.call("hosta", "snapshot_create", [guest.uuid, "3", "1101", "hosta"]);
    for (let tries = 0; tries < 4 && new Set(looked).size < 3; tries++) { // an agent that does not greet at once is not asked
      await act("pgrep -f libvirt_iohelpe[r]", "save", [guest.uuid, checkpoint, "hosta"]);
      await act(started, "restore", [checkpoint, "hosta", guest.uuid]);
      await act(`${started} | grep -vx ${await qemu()}`, "snapshot_revert", [guest.uuid, "snap-3"]);
    }
    expect({ looked: [...new Set(looked)], left: existsSync(checkpoint) }).toEqual({ looked: ["save", "restore", "snapshot_revert"], left: false });
    expect(await guest.call("hosta", "snapshot_delete", [guest.uuid, "snap-3", "1101", "hosta"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    await guest.ready("hosta");
  }, 3 * MINUTE);

  test("exec is reported when the command has ended", async () => {
    expect((await guest.call("hosta", "exec", ["1101", "hosta", "sh -c 'echo hello; echo oops >&2; exit 3'"])).exitCode).toBe(0);
    await until("the result has come", async () => front.texts("EXEC_VM").length > 0, 20);
    expect(front.texts("EXEC_VM")[0]).toMatch(/^VM = \[ ID="1101", PID="\d+", STATUS="DONE", RETURN_CODE="3", STDOUT="aGVsbG8K", STDERR="b29wcwo=" \]$/);
  }, MINUTE);

  test("a megabyte of output arrives whole", async () => {
    const before = front.texts("EXEC_VM").length;
    await guest.call("hosta", "exec", ["1101", "hosta", "sh -c 'head -c 1000000 /dev/zero'"]);
    await until("the result has come", async () => front.texts("EXEC_VM").length > before, 30);
    expect(Buffer.from(/STDOUT="([^"]*)"/.exec(front.texts("EXEC_VM").at(-1) ?? "")?.[1] ?? "", "base64").length).toBe(1_000_000);
  }, MINUTE);

  test("a pause is seen at once", async () => {
    await on("hosta", `virsh -c qemu:///system suspend ${guest.uuid}`);
    await until("SUSPENDED has come", async () => front.texts("STATE_VM").at(-1)?.includes('STATE="SUSPENDED"') ?? false, 2);
    await on("hosta", `virsh -c qemu:///system resume ${guest.uuid}`);
    await until("RUNNING has come", async () => front.texts("STATE_VM").at(-1)?.includes('STATE="RUNNING"') ?? false, 2);
  }, MINUTE);

  test("VMs that are destroyed behind our back are reported within a second", async () => {
    const took: number[] = [];
    for (const { vmid, uuid } of [...halted, guest]) {
      const since = performance.now();
      await on("hosta", `virsh -c qemu:///system destroy ${uuid}`);
      const destroyedAt = performance.now();
      took.push((await front.whenCame(vmid, "POWEROFF", since, 3)) - destroyedAt);
    }
    expect({ took, withinASecond: took.some((ms) => ms < 1000) }).toEqual({ took, withinASecond: true }); // a machine may be busy for a moment, not three times
  }, MINUTE);

  test("status tells what runs; stop ends it, and a second start ends the first", async () => {
    const status = await on("hosta", `${ONEVIRT} agent status`);
    expect({ code: status.exitCode, text: status.stdout }).toEqual({ code: 0, text: expect.stringMatching(/^Agent of host 9 \(hosta, kvm\), process \d+: runs/) });
    const { loops, messages, events, ...others } = JSON.parse((await on("hosta", `${ONEVIRT} agent status --json`)).stdout) as Status;
    expect(loops.map(({ category, periodSeconds, ageSeconds, lastProblem }) => [category, periodSeconds, ageSeconds <= periodSeconds + 10, lastProblem])).toEqual([
      ["host/system", 2, true, expect.stringContaining("Error executing broken.sh: lost")], ["host/monitor", 60, true, undefined], ["vm/status", 5, true, undefined], ["vm/execution", 1, true, undefined], ["vm/monitor", 60, true, undefined], ["vm/snapshot", 60, true, undefined], ["host/beacon", 1, true, undefined],
    ]);
    expect({ ...others, sent: messages.sent > 10, failed: messages.failed, events: events >= 2 + 3 }).toMatchObject({ version: 1, running: true, current: true, healthy: true, states: "libvirt", quarantined: [], listening: true, sent: true, failed: 0, events: true }); // a pause, its end, and three ends of VMs
    const [first] = pids();
    await agent("start");
    const second = pids();
    expect({ count: second.length, other: second[0] !== first }).toEqual({ count: 1, other: true });
    expect((await agent("stop")).exitCode).toBe(0);
    expect(pids()).toEqual([]);
    expect((await on("hosta", `${ONEVIRT} agent status`)).exitCode).toBe(1);
  }, MINUTE);
});
