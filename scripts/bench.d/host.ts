// Runs on a host of the lab as oneadmin; prints the rows as JSON. Arguments: which part.
import { readFileSync, rmSync } from "node:fs";
import { actions } from "./host-actions.ts";
import { agent } from "./host-agent.ts";
import { migrations } from "./host-migrate.ts";
import { monitor, passes } from "./host-monitor.ts";
import { compete, measure, median, rest, type Row } from "./rows.ts";

const EXECUTABLE = "/var/tmp/one/onevirt/onevirt-x86_64";
const LAUNCHERS = "/var/tmp/one/vmm/kvm";
const URI = "qemu:///system";
const ROUNDS = 21;

const parts: Readonly<Record<string, () => readonly Row[] | Promise<readonly Row[]>>> = { start, action, actions: withAgent, poll, monitor, passes, migrate: migrations };

rest();
console.log(JSON.stringify(await parts[process.argv[2] ?? ""]?.()));
process.exit(0); // threads of libvirt still wait

/** What starting costs. */
function start(): readonly Row[] {
  return compete("start", [
    { name: "onevirt version", command: [EXECUTABLE, "version"], against: { name: "bash -c :", command: ["bash", "-c", ":"] }, promised: 6 },
    { name: "onevirt version", command: [EXECUTABLE, "version"], against: { name: "virsh --version", command: ["virsh", "--version"] } },
  ], ROUNDS);
}

/** An action with one libvirt call that changes nothing of weight, launcher to exit, deadline guard on; then where its time goes. */
function action(): readonly Row[] {
  const words = ["one-2001", "hosta", "2001", "hosta"];
  const rows = (how: string, promised?: number) => compete("action", (["reboot", "reset"] as const).map((name) => ({
    name: `${name} (launcher to exit, ${how})`, command: [`${LAUNCHERS}/${name}`, ...words], against: { name: `virsh ${name}`, command: ["virsh", "-c", URI, name, "one-2001"] }, promised,
  })), ROUNDS);
  agent("start");
  const resident = rows("agent running", 1.5);
  agent("stop");
  return [...resident, ...rows("no agent"), ...breakdown()];
}

function withAgent(): readonly Row[] {
  agent("start");
  try {
    return actions();
  } finally {
    agent("stop");
  }
}

/** Medians of the steps of a reboot, from its own trace. */
function breakdown(): readonly Row[] {
  const trace = `/tmp/onevirt-bench-${process.pid}`;
  const steps = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    rmSync(trace, { force: true });
    Bun.spawnSync([`${LAUNCHERS}/reboot`, "one-2001", "hosta", "2001", "hosta"], { env: { ...process.env, ONEVIRT_TRACE: trace } });
    for (const [, name = "", ms = ""] of readFileSync(trace, "utf8").matchAll(/ libvirt (\d+\.\d+) ms (\w+)\(/g)) steps.set(ms, [...(steps.get(ms) ?? []), Number(name)]);
  }
  rmSync(trace, { force: true });
  return [...steps].map(([name, values]) => ({ area: "action", name: `  of it ${name}`, medianMs: median(values) })).filter(({ medianMs }) => medianMs >= 0.1);
}

/** The second poll of all guests that run now, against the one bulk call of virsh, and against one virsh for each VM. */
function poll(): readonly Row[] {
  const names = Bun.spawnSync(["virsh", "-c", URI, "list", "--name"]).stdout.toString().trim().split("\n").filter(Boolean);
  const area = `poll of ${names.length}`;
  measure([`${LAUNCHERS}/poll`, "-t"]); // the first one takes a second for its CPU sample
  Bun.sleepSync(1100);
  const rows = compete(area, [{ name: "poll -t", command: [`${LAUNCHERS}/poll`, "-t"], against: { name: "virsh domstats", command: ["virsh", "-c", URI, "domstats", "--state", "--interface", "--block"] }, promised: names.length >= 100 ? 1.3 : undefined }], 11);
  const began = performance.now();
  for (const name of names) measure(["virsh", "-c", URI, "dominfo", name]);
  const each = performance.now() - began;
  const ours = rows.at(-1)?.medianMs ?? Number.NaN;
  return [...rows, { area, name: "one virsh dominfo for each VM", medianMs: each }, { area, name: "poll -t", medianMs: ours, against: "one virsh dominfo for each VM", ratio: ours / each }];
}
