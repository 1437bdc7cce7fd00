import { afterAll, describe, expect, test } from "bun:test";
import { DEFAULT_DATASTORE_LOCATION, DEFAULT_PERIODS } from "../../src/core/monitor-configuration.ts";
import { findProbe } from "../../src/probes/table.ts";
import type { World } from "../fakes/world.ts";
import { CORRECTIONS } from "./probe-corrections.ts";
import { type Recordings, recordingsIn, type Said, saidIn } from "./probe-recordings.ts";
import { madeUpHost, recordedHost } from "./probe-worlds.ts";

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
  /** Records in the order of the kernel's directory, which means nothing. */
  readonly unordered?: boolean;
}

const CASES: readonly Case[] = [
  ...["architecture", "cpu", "cpu_features", "linux_host", "machines_models", "memory_encryption", "name", "pci", "version", "wild_vm"].map((name) => ({ probe: `host/system/${name}`, output: `host/system-${name}.txt`, world: recordedHost })),
  { probe: "host/monitor/linux_usage", output: "host/monitor-linux_usage.txt", world: recordedHost, volatile: ["FREECPU", "USEDCPU"] },
  { probe: "host/system/pci", output: "fake-host/out-pci.txt", world: madeUpHost },
  { probe: "host/system/numa_host", output: "fake-host/out-numa_host.txt", world: madeUpHost, unordered: true },
  { probe: "host/monitor/numa_usage", output: "fake-host/out-numa_usage.txt", world: madeUpHost, unordered: true },
];

describe.each(all.map((recordings) => [recordings.name, recordings] as const))("%s", (_name, recordings) => {
  test.each(CASES.filter(({ output }) => recordings.text(output) !== undefined).map((each) => [each.output, each] as const))("%s is what we say, but for the corrections", async (output, each) => {
    cases++;
    using world = each.world(recordings);
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

function comparable(said: readonly Said[], { volatile = [], unordered = false }: Case): readonly string[] {
  const lines = said.map(({ name, value }) => `${name}=${volatile.includes(name) && /^\d+$/.test(value) ? "(a number)" : value}`);
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
