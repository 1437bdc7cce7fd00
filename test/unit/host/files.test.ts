import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OnevirtError } from "../../../src/core/errors.ts";
import { HostFiles } from "../../../src/host/files.ts";
import { FileState } from "../../../src/host/state.ts";

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "onevirt-files-"));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

const files = new HostFiles();
const at = (...names: string[]) => join(place, ...names);
const everything = () => readdirSync(place, { recursive: true }).map(String).sort();

function messageOf(work: () => unknown): string {
  try {
    work();
    return "nothing thrown";
  } catch (error) {
    return error instanceof OnevirtError ? `${error.code}: ${error.message.replaceAll(place, "PLACE")}` : String(error);
  }
}

describe("writeAtomic()", () => {
  test("writeAtomic() writes text and bytes with exactly the mode, and makes directories", () => {
    files.writeAtomic(at("a", "b", "f"), "ünï", 0o660);
    files.writeAtomic(at("g"), new Uint8Array([0, 255]), 0o600, { flush: false });
    expect([readFileSync(at("a", "b", "f"), "utf8"), statSync(at("a", "b", "f")).mode & 0o777, [...readFileSync(at("g"))], everything()]).toEqual(["ünï", 0o660, [0, 255], ["a", "a/b", "a/b/f", "g"]]);
  });

  test("writeAtomic() replaces a file by another, so that a reader of the old one is not disturbed, and a link is not followed", () => {
    writeFileSync(at("target"), "old");
    symlinkSync(at("target"), at("link"));
    files.writeAtomic(at("link"), "new", 0o600);
    expect([readFileSync(at("target"), "utf8"), readFileSync(at("link"), "utf8"), lstatSync(at("link")).isFile()]).toEqual(["old", "new", true]);
  });

  const failures: [string, () => void, (name: string) => string, string][] = [
    ["the target is a directory", () => mkdirSync(at("d")), () => at("d"), 'FILE_FAILED: Cannot write "PLACE/d"'],
    ["a part of the path is a file", () => writeFileSync(at("f"), ""), () => at("f", "x"), 'FILE_FAILED: Cannot write "PLACE/f/x"'],
    ["a name is too long for the second of two new directories", () => undefined, () => at("new", "n".repeat(300), "f"), 'FILE_FAILED: Cannot write "PLACE/new/'],
    ["a name is too long for the file in new directories", () => undefined, () => at("new", "deep", "n".repeat(300)), 'FILE_FAILED: Cannot write "PLACE/new/deep/'],
  ];
  test.each(failures)("writeAtomic() leaves no file and no new directory when %s", (_what, prepare, path, message) => {
    prepare();
    const before = everything();
    expect([messageOf(() => files.writeAtomic(path(""), "x", 0o600)).startsWith(message), everything()]).toEqual([true, before]);
  });

  test("writeAtomic() names a read-only file system, and leaves nothing there", () => {
    // /proc refuses every new file, also root's
    expect(messageOf(() => files.writeAtomic("/proc/self/onevirt/x", "x", 0o600))).toMatch(/^FILE_FAILED: Cannot write "\/proc\/self\/onevirt\/x": /);
  });

  test("writeAtomic() leaves nothing in a directory that it may not write", () => {
    mkdirSync(at("locked"));
    chmodSync(at("locked"), 0o500);
    const script = `
      import { HostFiles } from ${JSON.stringify(join(import.meta.dir, "../../../src/host/files.ts"))};
      if (process.getuid() === 0) process.setuid(65534);
      try { new HostFiles().writeAtomic(${JSON.stringify(at("locked", "deep", "f"))}, "x", 0o600); } catch (error) { console.log(error.code, error.message); }`;
    chmodSync(place, 0o755);
    const { stdout } = Bun.spawnSync([process.execPath, "-e", script], { cwd: join(import.meta.dir, "../../..") });
    expect([stdout.toString().trim(), everything()]).toEqual([`FILE_FAILED Cannot write "${at("locked", "deep", "f")}": permission denied`, ["locked"]]);
  });
});

describe("copyIfAbsent()", () => {
  test("copyIfAbsent() copies whole, writable for the group, and never replaces", () => {
    writeFileSync(at("from"), "template", { mode: 0o400 });
    const first = files.copyIfAbsent(at("from"), at("new", "to"));
    writeFileSync(at("new", "to"), "guest's own");
    const second = files.copyIfAbsent(at("from"), at("new", "to"));
    expect([first, second, readFileSync(at("new", "to"), "utf8"), statSync(at("new", "to")).mode & 0o777, everything()]).toEqual([true, false, "guest's own", 0o660, ["from", "new", "new/to"]]);
  });

  test("copyIfAbsent() leaves nothing when there is nothing to copy", () => {
    expect([messageOf(() => files.copyIfAbsent(at("absent"), at("new", "to"))), everything()]).toEqual(['FILE_FAILED: Cannot copy to "PLACE/new/to": no such file or directory', []]);
  });
});

describe("reading", () => {
  test("reading gives undefined for what is not there, and an error for what cannot be read", () => {
    mkdirSync(at("d"));
    writeFileSync(at("f"), "12345");
    symlinkSync("nowhere", at("l"));
    expect([files.findText(at("x")), files.findText(at("f", "below")), files.kind(at("x")), files.readLink(at("x")), files.names(at("x")), files.kind(at("d")), files.kind(at("f")), files.kind(at("l")), files.kind("/dev/null"), files.readLink(at("l"))]).toEqual([
      undefined, undefined, undefined, undefined, [], "directory", "file", "symlink", "other", "nowhere",
    ]);
    expect([messageOf(() => files.findText(at("d"))), messageOf(() => files.findText(at("f"), 4))]).toEqual(['FILE_FAILED: Cannot read "PLACE/d": it is a directory', 'FILE_FAILED: Cannot read "PLACE/f": it has 5 bytes, more than the 4 that are expected']);
  });
});

describe("FileState", () => {
  test("FileState gives back what was written, and nothing for what is missing or cut", () => {
    const state = new FileState(at("state"), files);
    const before = state.read("cpu");
    state.write("cpu", { a: [1] });
    const written = state.read("cpu");
    writeFileSync(at("state", "cpu.json"), '{"a":');
    expect([before, written, state.read("cpu"), existsSync(at("state", "cpu.json"))]).toEqual([undefined, { a: [1] }, undefined, true]);
  });
});
