import { describe, expect, test } from "bun:test";
import { isPath, readManifest, writeManifest, type Manifest } from "../../../src/remotes/manifest.ts";

const record = { sha256: "a".repeat(64), mode: 0o2750, uid: 9869, gid: 9869, mtimeNs: 1720000000123456789n };
const manifest: Manifest = {
  version: 1, tree: "/var/lib/one/remotes", installedAt: "2026-01-01T00:00:00.000Z", build: { version: "0.1.0", buildId: "0123" },
  directories: ["onevirt"], files: [{ path: "vmm/kvm/deploy", ours: record, original: record }, { path: "onevirt/onevirt.conf", ours: record, original: undefined }],
};

describe("readManifest()", () => {
  test("reads what writeManifest() wrote, times to the nanosecond", () => {
    expect(readManifest(writeManifest(manifest), "m")).toEqual(manifest);
  });

  const spoilt: [string, (data: Record<string, never>) => unknown][] = [
    ["no JSON", () => "{"],
    ["null", () => null],
    ["a later version", (data) => ({ ...data, version: 2 })],
    ["no tree", (data) => ({ ...data, tree: "" })],
    ["no files", (data) => ({ ...data, files: undefined })],
    ["an absolute path", (data) => ({ ...data, files: [{ path: "/etc/passwd", ours: record }] })],
    ["a path out of the tree", (data) => ({ ...data, files: [{ path: "vmm/../../x", ours: record }] })],
    ["a directory out of the tree", (data) => ({ ...data, directories: [".."] })],
    ["no digest", (data) => ({ ...data, files: [{ path: "x", ours: { ...record, sha256: "x" } }] })],
    ["a mode that is none", (data) => ({ ...data, files: [{ path: "x", ours: { ...record, mode: 0o10000 } }] })],
    ["an owner that is text", (data) => ({ ...data, files: [{ path: "x", ours: { ...record, uid: "0" } }] })],
    ["an incomplete original", (data) => ({ ...data, files: [{ path: "x", ours: record, original: { mode: 1 } }] })],
    ["a file that is null", (data) => ({ ...data, files: [null] })],
  ];
  test.each(spoilt)("refuses %s", (_what, spoil) => {
    const data = spoil(JSON.parse(writeManifest(manifest)) as Record<string, never>);
    const text = typeof data === "string" ? data : JSON.stringify(data, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
    expect(() => readManifest(text, "/backup/manifest.json")).toThrow(expect.objectContaining({ code: "BAD_INPUT", message: expect.stringMatching(/^Cannot read "\/backup\/manifest.json": /) }));
  });
});

test.each([["a/b", true], ["a", true], ["", false], ["/a", false], ["a/", false], ["a//b", false], ["a/./b", false], ["../a", false], ["a\0", false], ["a\nb", false]])("isPath(%j) is %j", (path, expected) => {
  expect(isPath(path)).toBe(expected);
});
