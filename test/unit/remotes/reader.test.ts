import { describe, expect, test } from "bun:test";
import { mayRead, readerOf } from "../../../src/remotes/reader.ts";

const reader = readerOf({ uid: 9869, gid: 9869 }, "root:x:0:0::/root:/bin/sh\noneadmin:x:9869:9869::/var/lib/one:/bin/sh\n", "kvm:x:36:oneadmin\nlibvirt:x:100:root,oneadmin\nwheel:x:10:root\n");
const file = (uid: number, gid: number, mode: number, kind: "file" | "directory" = "file") => ({ uid, gid, mode, kind });

describe("readerOf()", () => {
  test("finds the further groups of the owner", () => {
    expect(reader).toEqual({ uid: 9869, groups: [9869, 36, 100] });
  });

  test("needs no user of that number", () => {
    expect(readerOf({ uid: 9869, gid: 9869 }, "", "kvm:x:36:oneadmin\n")).toEqual({ uid: 9869, groups: [9869] });
  });
});

describe("mayRead()", () => {
  test.each([
    ["its own file", file(9869, 0, 0o400), true],
    ["its own file that only others may read", file(9869, 0, 0o044), false],
    ["a file of its group", file(0, 9869, 0o040), true],
    ["a file of a further group", file(0, 36, 0o640), true],
    ["a file of its group that only others may read", file(0, 36, 0o604), false],
    ["a file for all", file(0, 0, 0o644), true],
    ["a private file of root", file(0, 0, 0o600), false],
    ["a directory that it can only list", file(0, 0, 0o754, "directory"), false],
    ["a directory that it can enter", file(0, 0, 0o755, "directory"), true],
  ])("knows %s", (_what, facts, expected) => {
    expect(mayRead(reader, facts)).toBe(expected);
  });

  test("lets root read everything", () => {
    expect(mayRead({ uid: 0, groups: [0] }, file(9869, 9869, 0))).toBe(true);
  });
});
