import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { run as poll } from "../../src/actions/poll.ts";
import { findProbe } from "../../src/probes/table.ts";
import { runProbe } from "../unit/probes/run.ts";
import type { World } from "../fakes/world.ts";
import { generationOf } from "../../src/core/generation.ts";
import { type Recordings, recordingsIn, type Said, saidIn } from "./probe-recordings.ts";
import { guestsOf, madeUpHost } from "./probe-worlds.ts";

// What the probes and the poll of 5.x said, against ours (monitoring.md 11, actions.md 15). Inputs are those of the other recordings of the same host, taken at another
// moment, so numbers are compared as numbers: names, order, words and layout must be the same. Any folder of the same layout will do:
//   ONEVIRT_GOLDEN=FOLDER bun test test/conformance/collectd.test.ts
const folder = `${process.env.ONEVIRT_GOLDEN ?? `${import.meta.dir}/../../../shared/golden`}/probes`;
const inputs = recordingsIn(folder)[0];
const all = existsSync(folder) ? [folder, ...readdirSync(folder).map((name) => join(folder, name))].filter((path) => !path.endsWith(".md") && readdirSync(path).some((name) => /^(poll|probe)-.*\.txt$/.test(name))) : [];
let cases = 0;

afterAll(() => console.log(`conformance of 5.x: ${cases} cases of ${all.length} recordings ran`));

test("there are recordings of 5.x to compare with, and what upstream read", () => {
  if (process.env.CI) expect([all.length > 0, inputs !== undefined]).toEqual([true, true]);
});

describe.each(inputs ? all : [])("%s", (directory) => {
  const names = readdirSync(directory);
  const text = (name: string) => readFileSync(join(directory, name), "utf8");
  const given = inputs as Recordings;

  test.each(names.filter((name) => /^probe-.*\.txt$/.test(name)))("%s is what our probe says", async (name) => {
    const probe = `collectd/${name.slice("probe-".length, -".txt".length)}`;
    expect(findProbe(probe)?.category).toBe("collectd");
    using world = worldOf(probe, text(name), given);
    const ours = saidIn(await runProbe(probe, world));
    expect(ours.map(shown)).toEqual(saidIn(text(name)).map(shown));
    expect(world.commands.calls).toEqual([]);
    cases++;
  });

  test.each(names.filter((name) => /^poll-(one|wild|unknown).*\.txt$/.test(name)))("%s is the line that our poll prints", async (name) => {
    using world = vms(given);
    const id = /\d+/.exec(name)?.[0];
    const domain = name.includes("unknown") ? "one-99999" : `${name.includes("wild") ? "wild" : "one"}-${id}`;
    expect(numbersHidden(await poll({ arguments: { "deploy-id": domain }, stdin: "" }, world))).toBe(numbersHidden(text(name).trimEnd()));
    cases++;
  });

  test.each(names.filter((name) => name === "poll-t.txt"))("%s is what our poll prints, and what the probe reports", async (name) => {
    using world = vms(given);
    const ours = await poll({ arguments: { "deploy-id": "-t" }, stdin: "" }, world);
    expect(numbersHidden(ours)).toBe(numbersHidden(text(name).trimEnd()));
    expect(numbersHidden(await runProbe("collectd/poll", world))).toBe(`${numbersHidden(ours)}\n`);
    const templates = [...ours.matchAll(/IMPORT_TEMPLATE="([^"]*)"/g)].map(([, base64 = ""]) => Buffer.from(base64, "base64").toString());
    if (names.includes("poll-t.import_template.decoded")) expect(templates).toEqual([text("poll-t.import_template.decoded")]);
    cases++;
  });

  test.each(names.filter((name) => name === "poll-all.b64"))("%s is what our poll prints, once it is taken apart", async (name) => {
    using world = vms(given);
    const yaml = (base64: string) => inflateSync(Buffer.from(base64, "base64")).toString();
    expect(numbersHidden(yaml(await poll({ arguments: {}, stdin: "" }, world)))).toBe(numbersHidden(yaml(text(name))));
    if (names.includes("poll-all.decoded.yaml")) expect(yaml(text(name))).toBe(text("poll-all.decoded.yaml"));
    cases++;
  });
});

/** The VMs as upstream 5.6 saw them. */
function vms(recordings: Recordings): World {
  return { ...guestsOf(recordings, undefined), generation: generationOf("5.6.0") };
}

function worldOf(probe: string, recorded: string, recordings: Recordings): World {
  const world = probe.endsWith("/pci") || probe.endsWith("/numa") ? madeUpHost(recordings) : vms(recordings);
  if (probe.endsWith("/monitor_ds")) {
    world.storage.spaces.set("/", { total: 4e12, used: 3e12, available: 1e12 });
    for (const [, id = ""] of recorded.matchAll(/^ {2}ID = (\d+),$/gm)) world.files.put(`/var/lib/one/datastores/${id}/.keep`, "");
  }
  const said = /^VERSION="(.*)"$/m.exec(recorded)?.[1];
  if (said !== undefined) world.files.put("/var/tmp/one/VERSION", `${said}\n`);
  const version = probe.endsWith("/numa") || recorded.includes("KVM_CPU_MODEL=") ? "5.10.0" : "5.6.0";
  return { ...world, generation: generationOf(version) };
}

/** Numbers are of another moment, all but those that say which. */
function shown({ name, value }: Said): string {
  return `${name}=${/^\d+(\.\d+)?$/.test(value) && !/(^|\/)(ID|NODE_ID)$/.test(name) ? "(a number)" : value}`;
}

function numbersHidden(text: string): string {
  return text.replace(/((?:CPU|MEMORY|NETRX|NETTX|DISK[A-Z]+)=)[\d.]+/g, "$1(a number)").replace(/^( +:(?:cpu|memory|netrx|nettx|disk\w+): )[\d.]+$/gm, "$1(a number)");
}
