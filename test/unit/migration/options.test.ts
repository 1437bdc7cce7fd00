import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { OnevirtError } from "../../../src/core/errors.ts";
import { readMigrationOptions } from "../../../src/migration/option-reader.ts";
import { MIGRATE, NEEDS, OPTIONS } from "../../../src/migration/options.ts";

const API = "/usr/share/libvirt/api/libvirt-api.xml";
const NONE = { autoConverge: "", compressed: "" };
const read = (text: string, vm: Partial<typeof NONE> = {}) => readMigrationOptions(text.split(" ").filter((word) => word !== ""), { ...NONE, ...vm });
const refusal = (text: string, vm: Partial<typeof NONE> = {}) => {
  try {
    return read(text, vm);
  } catch (error) {
    return error instanceof OnevirtError ? [error.code, error.message] : error;
  }
};

describe("MIGRATE_OPTIONS", () => {
  test.skipIf(!process.env.CI && Bun.which("virsh") === null)("have a row for every option of virsh migrate --help, and no other", () => {
    const help = Bun.spawnSync(["virsh", "migrate", "--help"]).stdout.toString();
    const options = help.slice(help.indexOf("OPTIONS")).split("\n").flatMap((line) => /^\s+(?:\[--([a-z0-9-]+)\]|--([a-z0-9-]+))/.exec(line)?.slice(1).find(Boolean) ?? []);
    expect(Object.keys(OPTIONS).sort()).toEqual(options.sort());
    expect(options.length).toBeGreaterThan(40);
  });

  test.skipIf(!process.env.CI && !existsSync(API))("use libvirt's own numbers and names", () => {
    const api = readFileSync(API, "utf8");
    const numbers = Object.fromEntries(Object.keys(MIGRATE).map((name) => [name, Number(new RegExp(`<enum name='${name}'[^>]* value='(\\d+)'`).exec(api)?.[1])]));
    expect(numbers).toEqual(MIGRATE);
    const names = new Set([...api.matchAll(/<macro name='VIR_MIGRATE_PARAM_\w+'[^>]* string='([^']+)'/g)].map(([, name]) => name));
    const unknown = Object.values(OPTIONS).flatMap((row) => ("parameter" in row && names.size > 0 && !names.has(row.parameter) ? [row.parameter] : []));
    expect(unknown).toEqual([]);
  });

  test("are live and client-managed when there are none", () => {
    expect(read("")).toEqual({ flags: 1, parameters: {}, peerToPeer: false, timeoutSeconds: undefined, atTimeout: "suspend", postcopyAfterPrecopy: false, postcopy: false });
  });

  const flags = Object.entries(OPTIONS).flatMap(([name, row]) => ("flag" in row ? [[name, row.flag] as const] : []));
  test.each(flags)("--%s is the flag %d", (name, flag) => {
    expect(read(`--${name}`).flags).toBe(1 | flag);
  });

  test.each([
    ["--bandwidth 100", { bandwidth: 100n }], ["--bandwidth=7", { bandwidth: 7n }], ["--migrateuri tcp://10.0.0.2", { migrate_uri: "tcp://10.0.0.2" }], ["--disks-port 49300", { disks_port: 49300 }],
    ["--migrate-disks vda,vdb", { migrate_disks: ["vda", "vdb"] }], ["--comp-methods mt,xbzrle --comp-xbzrle-cache 65536", { compression: ["mt", "xbzrle"], "compression.xbzrle.cache": 65536n }],
    ["--auto-converge --auto-converge-initial 30 --auto-converge-increment 5", { "auto_converge.initial": 30, "auto_converge.increment": 5 }], ["--parallel --parallel-connections 4", { "parallel.connections": 4 }],
    ["--postcopy --postcopy-bandwidth 50", { "bandwidth.postcopy": 50n }], ["--tls --tls-destination h.example", { "tls.destination": "h.example" }], ["--graphicsuri spice://h:5900", { graphics_uri: "spice://h:5900" }],
    ["--listen-address 0.0.0.0", { listen_address: "0.0.0.0" }], ["--disks-uri tcp://h:1", { disks_uri: "tcp://h:1" }], ["--comp-mt-level 1 --comp-mt-threads 2 --comp-mt-dthreads 3", { "compression.mt.level": 1, "compression.mt.threads": 2, "compression.mt.dthreads": 3 }],
  ])("%s become parameters", (text, parameters) => {
    expect(read(text).parameters).toEqual(parameters);
  });

  test("that virsh carries out itself are carried out here", () => {
    expect(read("--verbose --timeout 60 --timeout-postcopy --postcopy --postcopy-after-precopy")).toMatchObject({ timeoutSeconds: 60, atTimeout: "postcopy", postcopyAfterPrecopy: true, postcopy: true, flags: 1 | MIGRATE.VIR_MIGRATE_POSTCOPY });
    expect(read("--timeout 5 --timeout-suspend")).toMatchObject({ timeoutSeconds: 5, atTimeout: "suspend" });
    expect(read("--p2p --tunnelled")).toMatchObject({ peerToPeer: true, flags: 7 });
  });

  test.each(Object.entries(OPTIONS).flatMap(([name, row]) => ("refused" in row ? [[name, row.refused] as const] : [])))("--%s is refused by name", (name, reason) => {
    expect(refusal(`--${name} x`)).toEqual(["BAD_CONFIG", `Cannot use --${name} in MIGRATE_OPTIONS: it ${reason}`]);
  });

  test.each(Object.entries(NEEDS))("--%s needs --%s", (name, needed) => {
    expect(refusal(`--${name}`)).toEqual(["BAD_CONFIG", `Cannot use --${name} in MIGRATE_OPTIONS: it needs --${needed}`]);
  });

  test.each([
    ["--nonsense", "--nonsense", "virsh migrate has no such option"], ["unsafe", "unsafe", "virsh migrate has no such option"], ["--constructor", "--constructor", "virsh migrate has no such option"],
    ["--unsafe=yes", "--unsafe=yes", "it takes no value"], ["--bandwidth", "--bandwidth", "its value is missing"], ["--bandwidth --unsafe", "--bandwidth", "its value is missing"],
    ["--bandwidth -1", "--bandwidth", '"-1" is not a whole number of at most 9007199254740991'], ["--disks-port 4294967296", "--disks-port", '"4294967296" is not a whole number of at most 2147483647'],
    ["--timeout 5 --timeout-postcopy", "--timeout-postcopy", "it needs --postcopy"], ["--copy-storage-all --copy-storage-inc", "--copy-storage-inc", "--copy-storage-all stands beside it"],
  ])("%s is one clear error", (text, word, reason) => {
    expect(refusal(text)).toEqual(["BAD_CONFIG", `Cannot use ${word} in MIGRATE_OPTIONS: ${reason}`]);
  });
});

describe("options of one VM", () => {
  test.each([
    ["50", 1 | 8192, { "auto_converge.initial": 50 }], ["20,10", 1 | 8192, { "auto_converge.initial": 20, "auto_converge.increment": 10 }], ["", 1, {}],
  ])("MIGRATE_AUTO_CONVERGE=%j", (autoConverge, flags, parameters) => {
    expect(read("", { autoConverge })).toMatchObject({ flags, parameters });
  });

  test.each(["0", "100", "20,", "20,10,5", "x", "20 --unsafe", "20;id", "-5"])("MIGRATE_AUTO_CONVERGE=%j is refused", (autoConverge) => {
    expect(refusal("", { autoConverge })).toEqual(["BAD_INPUT", expect.stringContaining("expected INITIAL or INITIAL,INCREMENT")]);
  });

  test("MIGRATE_COMPRESSED is exactly YES, and the VM's values win", () => {
    expect([read("", { compressed: "YES" }).flags, read("", { compressed: "yes" }).flags]).toEqual([1 | 2048, 1]);
    expect(read("--auto-converge --auto-converge-initial 10", { autoConverge: "30" }).parameters).toEqual({ "auto_converge.initial": 30 });
  });
});
