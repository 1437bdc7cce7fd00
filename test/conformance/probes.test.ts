import { afterAll, describe, expect, test } from "bun:test";
import { dirname } from "node:path";
import { AgentFiles } from "../../src/cli/agent-files.ts";
import { readMonitorConfiguration } from "../../src/codec/monitor-configuration.ts";
import { monitorMessage, type MonitorMessageType, readPublicKey } from "../../src/codec/monitor-message.ts";
import { DEFAULT_DATASTORE_LOCATION, DEFAULT_PERIODS } from "../../src/core/monitor-configuration.ts";
import { findProbe } from "../../src/probes/table.ts";
import { FakeFiles } from "../fakes/files.ts";
import { FakeLog } from "../fakes/host.ts";
import { given, type World } from "../fakes/world.ts";
import { decode, keyPair } from "../unit/agent/wire.ts";
import { ADDED, type Correction, CORRECTIONS } from "./probe-corrections.ts";
import { filesOf, type Recordings, recordingsIn, type Said, saidIn } from "./probe-recordings.ts";
import { become, dueSnapshots, endedCommand, vmsIn } from "./probe-vm-worlds.ts";
import { guestsOf, madeUpHost, recordedHost, storageOf } from "./probe-worlds.ts";

// Feeds our probes with what upstream's probes read, and compares what they say (monitoring.md 6 and 7). Any folder of the same layout will do:
//   ONEVIRT_GOLDEN=FOLDER bun test test/conformance/probes.test.ts
const all = recordingsIn(`${process.env.ONEVIRT_GOLDEN ?? `${import.meta.dir}/../../../shared/golden`}/probes`);
const used = new Set<Correction>();
let cases = 0;
let keys: ReturnType<typeof keyPair> | undefined;

afterAll(() => {
  console.log(`probe conformance: ${cases} cases of ${all.length} recordings ran`);
  const unused = CORRECTIONS.filter((each) => !used.has(each)).map(({ probe, attribute }) => `${probe} ${attribute}`);
  if (all.length > 0 && unused.length > 0) console.log(`probe conformance: corrections that made no difference here: ${unused.join(", ")}`);
});

test("there are recordings to compare with", () => {
  if (process.env.CI || process.env.ONEVIRT_GOLDEN) expect(all.length).toBeGreaterThan(0);
});

/** A recorded output, and the probe that has to give the same. */
interface Case {
  readonly probe: string;
  /** The files that hold such an output. */
  readonly output: RegExp;
  readonly world: (recordings: Recordings, output: string) => World;
  /** Numbers of another moment than the inputs': only that they are there, and numbers. */
  readonly volatile?: readonly string[];
  /** Passes before the one that is compared, half a minute apart. */
  readonly passesBefore?: number;
  /** Attributes that are no part of the comparison: forecasts come from a program of their own. */
  readonly without?: RegExp;
  /** The output is no template. */
  readonly isText?: true;
  /** It runs a program, as it should. */
  readonly spawns?: true;
  /** Records in the order of the kernel's directory, which means nothing. */
  readonly unordered?: boolean;
}

/** Numbers of VMs: of other moments than the inputs'. */
const NUMBERS = ["CPU", "MEMORY", ...["NETRX", "NETTX", "DISKRDBYTES", "DISKWRBYTES", "DISKRDIOPS", "DISKWRIOPS"].flatMap((name) => [name, `${name}_BW`])].map((name) => `VM/MONITOR/${name}`);

const VM_NUMBERS = { volatile: NUMBERS, without: /_FORECAST/ } as const;

const CASES: readonly Case[] = [
  ...["architecture", "cpu", "cpu_features", "linux_host", "machines_models", "memory_encryption", "name", "pci", "version", "wild_vm"].map((name) => ({ probe: `host/system/${name}`, output: new RegExp(`^host/system-${name}\\.txt$`), world: recordedHost })),
  { probe: "host/beacon/date", output: /^host\/beacon-date\.txt$/, world: recordedHost, isText: true },
  { probe: "host/system/clean_db", output: /^host\/system-clean_db\.txt$/, world: recordedHost },
  { probe: "host/monitor/linux_usage", output: /^host\/monitor-linux_usage\.txt$/, world: recordedHost, volatile: ["FREECPU", "USEDCPU"] },
  { probe: "host/monitor/prediction", output: /^host\/monitor-prediction\.txt$/, world: recordedHost, volatile: ["NETRX_BW", "NETTX_BW"], without: /_FORECAST/, passesBefore: 2 },
  { probe: "host/system/monitor_ds", output: /^host\/system-monitor_ds\.txt$/, world: storageOf, volatile: ["USED", "TOTAL", "FREE"].flatMap((each) => [`DS_LOCATION_${each}_MB`, `DS/${each}_MB`]) },
  { probe: "vm/monitor/poll", output: /^vm-monitor\/.*agent-disabled-first-pass.*\.txt$/, world: (recordings) => guestsOf(recordings, undefined), ...VM_NUMBERS },
  { probe: "vm/monitor/poll", output: /^vm-monitor\/.*agent-disabled-(?!first-pass).*\.txt$/, world: (recordings) => guestsOf(recordings, undefined), ...VM_NUMBERS, passesBefore: 2 },
  { probe: "vm/monitor/poll", output: /^vm-monitor\/.*agent-enabled.*\.txt$/, world: (recordings, output) => guestsOf(recordings, recordings.text(output.replace(/agent-enabled.*$/, "guestagent.conf"))), ...VM_NUMBERS, passesBefore: 1 },
  { probe: "vm/monitor/monitor_ds_vm", output: /^vm-monitor\/.*monitor_ds_vm.*\.txt$/, world: storageOf },
  { probe: "vm/snapshot/recovery", output: /^vm-snapshot\/.*\.txt$/, world: dueSnapshots, spawns: true },
  { probe: "host/system/pci", output: /^fake-host[^/]*\/out-pci\.txt$/, world: (recordings, output) => madeUpHost(recordings, dirname(output)) },
  { probe: "host/system/numa_host", output: /^fake-host[^/]*\/out-numa_host\.txt$/, world: (recordings, output) => madeUpHost(recordings, dirname(output)), unordered: true },
  { probe: "host/monitor/numa_usage", output: /^fake-host[^/]*\/out-numa_usage\.txt$/, world: (recordings, output) => madeUpHost(recordings, dirname(output)), unordered: true },
];

/** Files that are no output of a probe, or are compared below. */
const OTHERS = [
  /^inputs\//, /\.decoded$/, /^fake-host[^/]*\/(lspci-mmnn\.stub\.txt|sys-bus-(pci|node)-devices\.tree\.txt|pci\.conf|99-rename\.rules)$/, /^vm-monitor\/.*guestagent\.conf$/, /^(README.*|.*\.md)$/,
  /^vm-status\/.*\.txt$/, /^vm-execution\/.*\.txt$/, /^wire\/.*\.(msg|plain)$/,
  /^agent\/(stdin-config[^/]*\.xml|monitord\.conf[^/]*|first-answer[^/]*|start\.[^/]*)$/,
  /^host\/(system-numa_host|monitor-numa_usage)\.txt$/, // of a host whose sysfs was not recorded; the made-up hosts have theirs
];

describe.each(all.map((recordings) => [recordings.name, recordings] as const))("%s", (_name, recordings) => {
  const files = filesOf(recordings);
  const found = CASES.flatMap((each) => files.filter((path) => each.output.test(path)).map((output) => [output, each] as const));

  test("every file is known, so that nothing is passed by", () => {
    expect(files.filter((path) => !OTHERS.some((pattern) => pattern.test(path)) && !found.some(([output]) => output === path))).toEqual([]);
  });

  if (found.length > 0) test.each(found)("%s is what we say, but for the corrections", async (output, each) => {
    cases++;
    using world = each.world(recordings, output);
    for (let pass = 0; pass < (each.passesBefore ?? 0); pass++) {
      if (each.probe === "host/monitor/prediction") await run("host/monitor/linux_usage", world); // it keeps the numbers
      else await run(each.probe, world);
      world.clock.pass(30_000);
      world.processes.ticks += 6000;
    }
    const text = recordings.text(output) ?? "";
    const ours = await run(each.probe, world);
    if (each.isText) expect(ours.replace(/\d+/, "N")).toBe(text.replace(/\d+/, "N"));
    else expect(comparable(ofRelease(saidIn(unhidden(ours, each.probe)), recordings, saidIn(text)), each)).toEqual(comparable(corrected(saidIn(onceEach(text)), each.probe, recordings, output), each));
    if (!each.spawns) expect(world.commands.calls).toEqual([]); // nothing is spawned
  });

  const ofState = files.filter((path) => /^vm-status\/.*\.txt$/.test(path));
  if (ofState.length > 0) test("vm-status: pass by pass, the states that were reported", async () => {
    using world = given({ limitSeconds: 100_000, files: { "/var/tmp/one/etc/im/kvm-probes.d/probe_db.conf": ":times_missing: 5\n" } });
    const known = new Set<string>();
    for (const path of ofState) {
      cases++;
      const text = recordings.text(path) ?? "";
      const reported = vmsIn(saidIn(text)).filter(({ ID }) => Number(ID) >= 0);
      become(world, reported, known);
      world.clock.pass(text.includes("SYNC_STATE") ? 181_000 : 5000);
      let ours = await run("vm/status/state", world);
      for (let passes = 0; ours === "" && passes < 8 && text.includes('"POWEROFF"'); passes++) ours = await run("vm/status/state", world);
      expect([path, ours.startsWith("SYNC_STATE=yes\nMISSING_STATE=POWEROFF\n"), linesOf(ours)]).toEqual([path, text.startsWith("SYNC_STATE=yes\nMISSING_STATE=POWEROFF\n"), linesOf(text).filter((line) => !line.includes('ID="-1"'))]);
    }
  });

  const ofCommands = files.filter((path) => /^vm-execution\/.*\.txt$/.test(path));
  if (ofCommands.length > 0) test.each(ofCommands)("%s: each command's result", async (path) => {
    cases++;
    const vms = vmsIn(saidIn(recordings.text(path) ?? ""));
    for (const vm of vms) {
      using world = endedCommand(vm);
      expect(vmsIn(saidIn(await run("vm/execution/exec", world)))).toEqual([vm]);
    }
    using idle = given();
    if (vms.length === 0) expect(await run("vm/execution/exec", idle)).toBe("");
  });

  const messages = files.filter((path) => path.endsWith(".msg"));
  if (messages.length > 0) test.each(messages)("%s: the same data in our message", (path) => {
    cases++;
    const plain = recordings.text(path.replace(/msg$/, "plain")) ?? "";
    const theirs = (recordings.text(path) ?? "").trimEnd();
    const [type, status, hostId, timestamp] = theirs.split(" ");
    const { publicPem, privatePem } = (keys ??= keyPair());
    const message = { type: type as MonitorMessageType, success: status === "SUCCESS", hostId: Number(hostId), timestamp: Number(timestamp), text: plain };
    const expected = { type, status, hostId: Number(hostId), timestamp: Number(timestamp), text: plain };
    expect(decode(monitorMessage(message, undefined)) as object).toEqual(expected);
    expect(decode(monitorMessage(message, readPublicKey(publicPem)), privatePem) as object).toEqual(expected);
    if (!path.includes("encrypted")) expect(decode(theirs) as object).toEqual(expected); // the key of such a recording is not part of it
  });

  if (recordings.text("agent/stdin-config.xml") !== undefined && recordings.text("agent/monitord.conf.written-by-agent") !== undefined) test("agent: what others on the host read has the layout that they look for", async () => {
    cases++;
    const text = recordings.text("agent/stdin-config.xml") ?? "";
    const files = new FakeFiles();
    new AgentFiles(text, await readMonitorConfiguration(text, "127.0.0.1 1 2"), files, new FakeLog()).keep();
    const words = (conf = "") => conf.split("\n").map((line) => line.trim().replace(/\s+/g, " ").replace(/(ADDRESS|PUBKEY) = ".*"/, '$1 = "…"').replace(/= \d+/, "= N")); // written at another time, of another configuration
    expect(words(files.findText("/var/tmp/one_db/etc/monitord.conf"))).toEqual(words(recordings.text("agent/monitord.conf.written-by-agent")));
    expect(files.findText("/var/tmp/one_db/config")).toBe(text);
  });
});

/** Lines of a report of states in an order of their own, which means nothing. */
function linesOf(text: string): readonly string[] {
  return text.split("\n").filter((line) => line.startsWith("VM")).sort();
}

/** A device that two filters match is printed twice by upstream; oned takes the first. */
function onceEach(text: string): string {
  const seen = new Set<string>();
  return text.replace(/^PCI = \[\n[^]*?\n\]\n?/gm, (record) => (seen.size < seen.add(/ ADDRESS = "(.*?)"/.exec(record)?.[1] ?? record).size ? record : ""));
}

/** Upstream reports domains like `one-12-copy` nowhere: its two patterns disagree (monitoring.md 6.7). */
function unhidden(text: string, probe: string): string {
  return probe === "host/system/wild_vm" ? text.replace(/^.*VM_NAME="one-\d.*\n/gm, "") : text;
}

/** What we say without the attributes that the recordings' release did not have yet. */
function ofRelease(said: readonly Said[], recordings: Recordings, theirs: readonly Said[]): readonly Said[] {
  const release = /"(\d+\.\d+)/.exec(recordings.text("host/system-version.txt") ?? "")?.[1];
  const later = ADDED.filter(({ since }) => release !== undefined && Bun.semver.order(`${release}.0`, `${since}.0`) < 0);
  return said.filter(({ name }) => !later.some(({ attribute }) => attribute.test(name)) || theirs.some((each) => each.name === name));
}

async function run(name: string, world: World): Promise<string> {
  const probe = findProbe(name);
  if (!probe) throw new Error(`there is no probe ${name}`);
  const request = { driver: "kvm", hostId: 0, hostName: "h", configuration: { datastoreLocation: DEFAULT_DATASTORE_LOCATION, periods: DEFAULT_PERIODS } } as const;
  return (await probe.load()).run(request, world);
}

/** What upstream said, with the right numbers in place of the wrong ones. */
function corrected(said: readonly Said[], probe: string, recordings: Recordings, output: string): readonly Said[] {
  return said.map(({ name, value }) => {
    const correction = CORRECTIONS.find((each) => each.probe === probe && (typeof each.attribute === "string" ? each.attribute === name : each.attribute.test(name)));
    const right = correction?.right(value, recordings, { name, output }) ?? value;
    if (correction && right !== value) used.add(correction);
    return { name, value: right };
  });
}

function comparable(said: readonly Said[], { volatile = [], unordered = false, without = /^$/ }: Case): readonly string[] {
  const lines = said.filter(({ name }) => !without.test(name)).map(({ name, value }) => `${name}=${volatile.includes(name) && /^\d+(\.\d+)?$/.test(value) ? "(a number)" : value}`);
  return unordered ? [...new Set(records(lines))].sort() : lines; // neighbours that are siblings are printed once for each of them
}

/** The attributes of each record in one line: the order of records means nothing, that inside a record may. */
function records(lines: readonly string[]): string[] {
  const joined: string[] = [];
  for (const line of lines) {
    const last = joined.at(-1);
    const starts = line.includes("/NODE_ID=");
    if (last === undefined || starts) joined.push(line);
    else joined[joined.length - 1] = `${last} ${line}`;
  }
  return joined;
}
