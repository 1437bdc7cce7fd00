import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { install } from "../../../src/remotes/install.ts";
import type { Places } from "../../../src/remotes/places.ts";
import { programFrom, thisProgram, type Program } from "../../../src/remotes/program.ts";
import { statusOf } from "../../../src/remotes/status.ts";
import { isLauncher } from "../../../src/core/launcher.ts";
import { treeFiles } from "../../../src/remotes/parts.ts";
import { upstreamPath } from "../../../src/remotes/tree.ts";
import { uninstall } from "../../../src/remotes/uninstall.ts";

let top: string;
let places: Places;
beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), "onevirt-install-")));
  places = { tree: join(top, "remotes"), backup: join(top, "backup") };
  mkdirSync(join(places.tree, "vmm/kvm"), { recursive: true });
  write("VERSION", "7.0.1\n");
  write("vmm/kvm/deploy", "upstream deploy\n");
});
afterEach(() => rmSync(top, { recursive: true }));

const write = (path: string, text: string) => writeFileSync(join(places.tree, path), text);
const read = (path: string) => readFileSync(join(places.tree, path), "utf8");
const program = (buildId: string, arch = "x64"): Program => {
  writeFileSync(join(top, `program-${buildId}`), `build ${buildId}`);
  return programFrom(join(top, `program-${buildId}`), { version: "0.1.0", buildId }, arch);
};
const done = ({ changes }: ReturnType<typeof install>) => Object.fromEntries(changes.map(({ path, done: what }) => [path, what]));

describe("install()", () => {
  test("brings a newer executable and newer settings, and nothing else", () => {
    install(places, program("one"));
    const manifest = JSON.parse(readFileSync(join(places.backup, "manifest.json"), "utf8"));
    const inode = statSync(join(places.tree, "vmm/kvm/deploy")).ino;
    // As an older version would have left its defaults.
    write("onevirt/onevirt.conf", "#older defaults\n");
    manifest.files.find(({ path }: { path: string }) => path === "onevirt/onevirt.conf").ours.sha256 = new Bun.CryptoHasher("sha256").update("#older defaults\n").digest("hex");
    writeFileSync(join(places.backup, "manifest.json"), JSON.stringify(manifest));
    expect(done(install(places, program("two")))).toEqual({ "onevirt/onevirt-x86_64": "renewed", "onevirt/onevirt.conf": "renewed" });
    expect([read("onevirt/onevirt-x86_64"), statSync(join(places.tree, "vmm/kvm/deploy")).ino]).toEqual(["build two", inode]);
    expect(statusOf(places, program("two"))).toMatchObject({ wrong: false, build: { this: "two", tree: "two" } });
    expect(statusOf(places, program("three"))).toMatchObject({ wrong: true, build: { this: "three", tree: "two" } });
  });

  test("takes back an action of an earlier version that this one does not have", () => {
    install(places, program("one"));
    const path = join(places.backup, "manifest.json");
    const manifest = JSON.parse(readFileSync(path, "utf8"));
    const launcher = manifest.files.find((file: { path: string }) => file.path === "vmm/kvm/deploy");
    const copy = manifest.files.find((file: { path: string }) => file.path === "vmm/kvm/upstream-deploy");
    manifest.files.push({ ...launcher, path: "vmm/kvm/gone" }, { ...copy, path: "vmm/kvm/upstream-gone" });
    writeFileSync(path, JSON.stringify(manifest));
    write("vmm/kvm/gone", read("vmm/kvm/deploy"));
    write("vmm/kvm/upstream-gone", "upstream deploy\n");
    writeFileSync(join(places.backup, "originals/vmm/kvm/gone"), "upstream deploy\n");
    expect(done(install(places, program("one")))).toEqual({ "vmm/kvm/gone": "restored", "vmm/kvm/upstream-gone": "removed" });
    expect([read("vmm/kvm/gone"), existsSync(join(places.tree, "vmm/kvm/upstream-gone"))]).toEqual(["upstream deploy\n", false]);
    expect(install(places, program("one")).unchanged).toBe(true);
  });

  test("keeps the executable of another machine, and uninstall() takes both", () => {
    const before = readdirSync(places.tree, { recursive: true }).sort();
    install(places, program("one", "x64"));
    install(places, program("two", "arm64"));
    expect([read("onevirt/onevirt-x86_64"), read("onevirt/onevirt-aarch64")]).toEqual(["build one", "build two"]);
    uninstall(places);
    expect(readdirSync(places.tree, { recursive: true }).sort()).toEqual(before);
  });

  test("is for the built executable only", () => {
    expect(() => thisProgram()).toThrow(/not the built executable/);
  });
});

describe("the tree", () => {
  test("is known again by the start of its launchers, and upstream's scripts are not", () => {
    const launchers = treeFiles().filter(({ path }) => path.startsWith("vmm/"));
    expect(launchers.every(({ text }) => isLauncher(text))).toBe(true);
    expect(["", "#!/bin/sh\n", "#!/bin/bash\n# Launcher of onevirt is off\n", "# Launcher of onevirt:\n"].map(isLauncher)).toEqual([false, false, false, false]);
  });

  test("has upstream's scripts beside the launchers, because they load others by their place", () => {
    expect(upstreamPath("vmm/kvm/deploy")).toBe("vmm/kvm/upstream-deploy");
  });
});
