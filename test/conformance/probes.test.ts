import { afterAll, describe, expect, test } from "bun:test";
import { DEFAULT_DATASTORE_LOCATION, DEFAULT_PERIODS } from "../../src/core/monitor-configuration.ts";
import { findProbe } from "../../src/probes/table.ts";
import type { World } from "../fakes/world.ts";
import { CORRECTIONS } from "./probe-corrections.ts";
import { type Recordings, recordingsIn, type Said, saidIn } from "./probe-recordings.ts";
import { guestsOf, madeUpHost, recordedHost, storageOf } from "./probe-worlds.ts";

// Feeds our probes with what upstream's probes read, and compares what they say (monitoring.md 6 and 7). Any folder of the same layout will do:
//   ONEVIRT_GOLDEN=FOLDER bun test test/conformance/probes.test.ts
const all = recordingsIn(`${process.env.ONEVIRT_GOLDEN ?? `${import.meta.dir}/../../../shared/golden`}/probes`);
const used = new Set<string>();
let cases = 0;

afterAll(() => console.log(`probe conformance: ${cases} cases of ${all.length} recordings ran`));

test("there are recordings to compare with", () => {
  if (process.env.CI) expect(all.length).toBeGreaterThan(0);
});

/** A recorded output, and the probe that has to give the same. */
interface Case {
  readonly probe: string;
  readonly output: string;
  readonly world: (recordings: Recordings) => World;
  /** Numbers of another moment than the inputs': only that they are there, and numbers. */
  readonly volatile?: readonly string[];
  /** Passes before the one that is compared, half a minute apart. */
  readonly passesBefore?: number;
  /** Attributes that are no part of the comparison: forecasts come from a program of their own. */
  readonly without?: RegExp;
  /** Records in the order of the kernel's directory, which means nothing. */
  readonly unordered?: boolean;
}

/** Numbers of VMs: of other moments than the inputs'. */
const NUMBERS = ["CPU", "MEMORY", ...["NETRX", "NETTX", "DISKRDBYTES", "DISKWRBYTES", "DISKRDIOPS", "DISKWRIOPS"].flatMap((name) => [name, `${name}_BW`])].map((name) => `VM/MONITOR/${name}`);

const CASES: readonly Case[] = [
  ...["architecture", "cpu", "cpu_features", "linux_host", "machines_models", "memory_encryption", "name", "pci", "version", "wild_vm"].map((name) => ({ probe: `host/system/${name}`, output: `host/system-${name}.txt`, world: recordedHost })),
  { probe: "host/monitor/linux_usage", output: "host/monitor-linux_usage.txt", world: recordedHost, volatile: ["FREECPU", "USEDCPU"] },
  { probe: "host/monitor/prediction", output: "host/monitor-prediction.txt", world: recordedHost, volatile: ["NETRX_BW", "NETTX_BW"], without: /_FORECAST/, passesBefore: 2 },
  { probe: "host/system/monitor_ds", output: "host/system-monitor_ds.txt", world: storageOf, volatile: ["USED", "TOTAL", "FREE"].flatMap((each) => [`DS_LOCATION_${each}_MB`, `DS/${each}_MB`]) },
  { probe: "vm/monitor/poll", output: "vm-monitor/01-agent-disabled-first-pass.txt", world: (recordings) => guestsOf(recordings, undefined), volatile: NUMBERS, without: /_FORECAST/ },
  { probe: "vm/monitor/poll", output: "vm-monitor/02-agent-disabled-third-pass-30s-apart.txt", world: (recordings) => guestsOf(recordings, undefined), volatile: NUMBERS, without: /_FORECAST/, passesBefore: 2 },
  { probe: "vm/monitor/poll", output: "vm-monitor/03-agent-enabled-gpu.txt", world: (recordings) => guestsOf(recordings, recordings.text("vm-monitor/03-guestagent.conf")), volatile: NUMBERS, without: /_FORECAST/, passesBefore: 1 },
  { probe: "vm/monitor/monitor_ds_vm", output: "vm-monitor/04-monitor_ds_vm.txt", world: storageOf },
  { probe: "host/system/pci", output: "fake-host/out-pci.txt", world: madeUpHost },
  { probe: "host/system/numa_host", output: "fake-host/out-numa_host.txt", world: madeUpHost, unordered: true },
  { probe: "host/monitor/numa_usage", output: "fake-host/out-numa_usage.txt", world: madeUpHost, unordered: true },
];

describe.each(all.map((recordings) => [recordings.name, recordings] as const))("%s", (_name, recordings) => {
  test.each(CASES.filter(({ output }) => recordings.text(output) !== undefined).map((each) => [each.output, each] as const))("%s is what we say, but for the corrections", async (output, each) => {
    cases++;
    using world = each.world(recordings);
    for (let pass = 0; pass < (each.passesBefore ?? 0); pass++) {
      if (each.probe === "host/monitor/prediction") await run("host/monitor/linux_usage", world); // it keeps the numbers
      else await run(each.probe, world);
      world.clock.pass(30_000);
      world.processes.ticks += 6000;
    }
    const ours = comparable(saidIn(await run(each.probe, world)), each);
    expect(ours).toEqual(comparable(corrected(saidIn(recordings.text(output) ?? ""), each.probe, recordings), each));
    expect(world.commands.calls).toEqual([]); // nothing is spawned
  });
});

test("every correction was needed", () => {
  const unused = CORRECTIONS.filter(({ probe, attribute }) => !used.has(`${probe} ${attribute}`)).map(({ probe, attribute }) => `${probe} ${attribute}`);
  if (all.length > 0) expect(unused).toEqual([]);
});

async function run(name: string, world: World): Promise<string> {
  const probe = findProbe(name);
  if (!probe) throw new Error(`there is no probe ${name}`);
  const request = { driver: "kvm", hostId: 0, hostName: "h", configuration: { datastoreLocation: DEFAULT_DATASTORE_LOCATION, periods: DEFAULT_PERIODS } } as const;
  return (await probe.load()).run(request, world);
}

/** What upstream said, with the right numbers in place of the wrong ones. */
function corrected(said: readonly Said[], probe: string, recordings: Recordings): readonly Said[] {
  return said.map(({ name, value }, index) => {
    const correction = CORRECTIONS.find((each) => each.probe === probe && each.attribute === name);
    if (correction) used.add(`${probe} ${name}`);
    return correction ? { name, value: correction.right(value, recordings, index) } : { name, value };
  });
}

function comparable(said: readonly Said[], { volatile = [], unordered = false, without = /^$/ }: Case): readonly string[] {
  const lines = said.filter(({ name }) => !without.test(name)).map(({ name, value }) => `${name}=${volatile.includes(name) && /^\d+(\.\d+)?$/.test(value) ? "(a number)" : value}`);
  return unordered ? records(lines).sort() : lines;
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
