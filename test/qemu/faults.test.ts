import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { ACTION_NAMES, atOnce } from "../support/every-action.ts";
import { freeze } from "../support/freeze.ts";
import { Guest, lab, on, REMOTE, rootOn, syncedTree, until, userMessage } from "../support/lab.ts";

const MINUTE = 60_000;

/** Short limits, so that a test of "it ends in time" ends in time. */
const SHORT = ["FRESH_LOOK_SECONDS=2", ...ACTION_NAMES.map((action) => `LIMIT_${action.toUpperCase()}=4`)].join("\n");

let tree = "";
let daemon = "";

beforeAll(async () => {
  tree = await syncedTree(["hosta"], { kvmrc: "SHUTDOWN_TIMEOUT=2\nFORCE_DESTROY=yes\n", conf: `${SHORT}\n` });
  const status = JSON.parse(await lab("status", "--json")) as { readonly hosts: readonly { readonly name: string; readonly pids: { readonly libvirtd: number } }[] };
  daemon = String(status.hosts.find(({ name }) => name === "hosta")?.pids.libvirtd);
}, MINUTE);
afterAll(async () => {
  rmSync(tree, { recursive: true, force: true });
  rmSync(await syncedTree(["hosta"]), { recursive: true, force: true });
}, MINUTE);

/** Runs `work` while libvirtd takes connections and answers none. */
async function whileDaemonIsStopped<T>(work: () => Promise<T>): Promise<T> {
  await rootOn("hosta", `kill -STOP ${daemon}`);
  try {
    return await work();
  } finally {
    await rootOn("hosta", `kill -CONT ${daemon}`);
    await until("libvirtd answers again", async () => (await on("hosta", "virsh -c qemu:///system version")).exitCode === 0);
  }
}

async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const start = performance.now();
  return [await work(), (performance.now() - start) / 1000];
}

describe("with one QEMU stopped", () => {
  beforeAll(() => lab("density", "hosta", "4"), MINUTE);
  afterAll(() => lab("density", "hosta", "0"), MINUTE);

  const disks = (text: string) => Object.fromEntries([...text.matchAll(/DEPLOY_ID=(\S+),\n\s+POLL="([^"]*)"/g)].map(([, name = "", poll = ""]) => [name, poll.includes("DISKRDBYTES=")]));

  test("poll of all is complete for the others, names the stuck one, and ends in time; cancel of it works", async () => {
    const pid = (await rootOn("hosta", "cat /run/libvirt/qemu/one-2002.pid")).stdout.trim();
    await rootOn("hosta", `kill -STOP ${pid}`);
    const [result, seconds] = await timed(() => on("hosta", `${REMOTE}/poll -t`));
    expect({ code: result.exitCode, disks: disks(result.stdout), inTime: seconds < 15 }).toEqual({ code: 0, inTime: true, disks: { "one-2001": true, "one-2002": false, "one-2003": true, "one-2004": true } });
    expect(result.stderr).toBe('WARN: poll: QEMU of "one-2002" does not answer: its disk counters are left out\n');
    expect(result.stdout).toMatch(/DEPLOY_ID=one-2002,\n\s+POLL="STATE=a CPU=\d+\.\d+ MEMORY=\d+/);

    const conf = await syncedTree(["hosta"]);
    const cancel = await on("hosta", `${REMOTE}/cancel one-2002 hosta 2002 hosta`);
    rmSync(conf, { recursive: true, force: true });
    await syncedTree(["hosta"], { kvmrc: "SHUTDOWN_TIMEOUT=2\nFORCE_DESTROY=yes\n", conf: `${SHORT}\n` }).then((again) => rmSync(again, { recursive: true, force: true }));
    expect({ code: cancel.exitCode, listed: (await on("hosta", "virsh -c qemu:///system list --name")).stdout.includes("one-2002") }).toEqual({ code: 0, listed: false });
  }, 2 * MINUTE);

  test("poll gets past a QEMU that hangs without looking stopped, names it, and leaves it alone afterwards", async () => {
    const pid = (await rootOn("hosta", "cat /run/libvirt/qemu/one-2003.pid")).stdout.trim();
    using _frozen = freeze(pid);
    const [first, seconds] = await timed(() => on("hosta", `${REMOTE}/poll -t`));
    const [second, again] = await timed(() => on("hosta", `${REMOTE}/poll -t`));
    const [single] = await timed(() => on("hosta", `${REMOTE}/poll one-2001 hosta 2001 hosta`));
    const others = { "one-2001": true, "one-2003": false, "one-2004": true };
    expect({ code: first.exitCode, disks: disks(first.stdout), stderr: first.stderr, waited: seconds > 2 && seconds < 15 }).toEqual({ code: 0, disks: others, stderr: expect.stringContaining('QEMU of "one-2003" does not answer'), waited: true });
    expect({ code: second.exitCode, disks: disks(second.stdout), stderr: second.stderr, quicker: again < seconds }).toEqual({ code: 0, disks: others, stderr: expect.stringContaining('QEMU of "one-2003" does not answer'), quicker: true });
    expect(single).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^STATE=a .*DISKRDBYTES=/) });
  }, MINUTE);
});

describe("with libvirtd stopped", () => {
  let guest: Guest;
  beforeEach(async () => {
    guest = await Guest.make(120);
  }, MINUTE);
  afterEach(() => guest.remove("hosta"), MINUTE);

  test("17.1 row 1: shutdown and cancel of a running VM end in time and fail, and it still runs", async () => {
    await guest.deploy("hosta");
    for (const action of ["shutdown", "cancel"]) {
      const [result, seconds] = await whileDaemonIsStopped(() => timed(() => guest.act("hosta", action)));
      expect({ action, code: result.exitCode === 0, inTime: seconds < 20, says: userMessage(result) }).toEqual({ action, code: false, inTime: true, says: expect.stringMatching(/state is not known|not certain/) });
      expect(await guest.state("hosta")).toBe("running");
    }
  }, 2 * MINUTE);

  test("every other action ends in time and fails, or reports nothing", async () => {
    await guest.deploy("hosta");
    await whileDaemonIsStopped(async () => {
      const names = ACTION_NAMES.filter((name) => !["shutdown", "cancel", "exec_cancel"].includes(name)); // no command runs: nothing to cancel
      const [results, seconds] = await timed(() => atOnce("hosta", guest, names));
      expect(seconds).toBeLessThan(50);
      for (const [action, result] of results)
        expect({ action, failed: result.exitCode !== 0, stdout: result.stdout, says: userMessage(result) }).toEqual({ action, failed: true, stdout: "", says: expect.stringMatching(/^[^\n]*no answer from qemu\S* within[^\n]*$/) });
      const [all, inAll] = await timed(() => on("hosta", `${REMOTE}/poll -t`));
      expect({ code: all.exitCode, stdout: all.stdout, inTime: inAll < 20, stderr: all.stderr }).toEqual({ code: 0, stdout: "", inTime: true, stderr: expect.stringContaining("ERROR: poll: Nothing is reported: ") });
    });
    expect(await guest.state("hosta")).toBe("running");
  }, 2 * MINUTE);

  test("a deploy that happens late is reported as outcome unknown, and the next call finds it", async () => {
    const result = await whileDaemonStopsBeforeStart(guest);
    expect({ code: result.exitCode, stdout: result.stdout, says: userMessage(result) }).toEqual({ code: 3, stdout: "", says: expect.stringContaining("Outcome unknown") });
    await until("the late domain runs", async () => (await guest.state("hosta")) === "running");
    expect(await guest.deploy("hosta")).toMatchObject({ exitCode: 0, stdout: `${guest.uuid}\n` });
    expect((await guest.act("hosta", "cancel", "")).exitCode).toBe(0);
    expect(await guest.state("hosta")).toBe("gone");
  }, 2 * MINUTE);
});

/** Stops libvirtd when deploy has had its last look and has not yet started the domain, and lets it go on when deploy has ended. */
async function whileDaemonStopsBeforeStart(guest: Guest): Promise<Awaited<ReturnType<Guest["deploy"]>>> {
  const slow = guest.with((xml) => xml.replace("</os>", `<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader><nvram>${guest.directory}/vars.fd</nvram></os>`));
  // deploy asks qemu-img for the format of the UEFI variables; this one answers only when the gate opens.
  const program = Buffer.from(`#!/bin/sh\nread -r go < ${guest.directory}/gate\necho '{"format": "raw"}'\n`).toString("base64");
  await on("hosta", `cd ${guest.directory} && echo ${program} | base64 -d > qemu-img && chmod 755 qemu-img && mkfifo gate`);
  const gated = await syncedTree(["hosta"], { kvmrc: `QEMU_IMG=${guest.directory}/qemu-img\nOVMF_NVRAM=/usr/share/OVMF/OVMF_VARS.fd\n`, conf: `${SHORT}\n`.replace("LIMIT_DEPLOY=4", "LIMIT_DEPLOY=20") });
  try {
    const deploying = slow.deploy("hosta");
    await until("deploy waits for qemu-img", async () => (await on("hosta", `pgrep -u oneadmin -f '${guest.directory}/[q]emu-img info'`)).exitCode === 0);
    return await whileDaemonIsStopped(async () => {
      await rootOn("hosta", `timeout 10 sh -c 'echo go > ${guest.directory}/gate'`);
      return deploying;
    });
  } finally {
    rmSync(gated, { recursive: true, force: true });
    rmSync(await syncedTree(["hosta"], { kvmrc: "SHUTDOWN_TIMEOUT=2\nFORCE_DESTROY=yes\n", conf: `${SHORT}\n` }), { recursive: true, force: true });
  }
}

describe("with libvirtd absent", () => {
  test("17.1 row 1: every action says so, in time, and none calls a VM off", async () => {
    const guest = await Guest.make(121);
    try {
      expect(await guest.deploy("hosta")).toMatchObject({ exitCode: 0 });
      await lab("stop-daemon", "hosta");
      const [results, seconds] = await timed(() => atOnce("hosta", guest, ACTION_NAMES.filter((name) => name !== "exec_cancel")));
      expect(seconds).toBeLessThan(50);
      for (const [action, result] of results)
        expect({ action, failed: result.exitCode !== 0, stdout: result.stdout, says: userMessage(result) }).toEqual({ action, failed: true, stdout: "", says: expect.stringMatching(action === "deploy" ? /^[^\n]*cannot tell whether[^\n]*$/ : /^[^\n]*(Failed to connect socket|Cannot connect to)[^\n]*$/) });
      const all = await on("hosta", `${REMOTE}/poll -t`);
      expect({ code: all.exitCode, stdout: all.stdout }).toEqual({ code: 0, stdout: "" });
    } finally {
      await lab("start-daemon", "hosta");
      await until("libvirtd, which takes its domains up again, has it running", async () => (await guest.state("hosta")) === "running", 20);
      await guest.remove("hosta");
    }
  }, 2 * MINUTE);
});

describe("a libvirtd that is restarted while shutdown waits", () => {
  test("loses no answer: the end of the guest is still seen", async () => {
    const guest = (await Guest.make(122)).with((xml) => xml.replace(/<channel[\s\S]*?<\/channel>/, ""));
    const other = await syncedTree(["hosta"], { kvmrc: "SHUTDOWN_TIMEOUT=40\n" });
    try {
      await guest.deploy("hosta");
      const waiting = guest.act("hosta", "shutdown");
      await lab("restart", "hosta");
      await on("hosta", `virsh -c qemu:///system destroy ${guest.uuid}`);
      expect((await waiting).exitCode).toBe(0);
    } finally {
      rmSync(other, { recursive: true, force: true });
      await guest.remove("hosta");
    }
  }, 2 * MINUTE);
});
