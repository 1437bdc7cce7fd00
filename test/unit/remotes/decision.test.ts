import { describe, expect, test } from "bun:test";
import { decide, decideReturn, type Decision, type Role, type Wanted } from "../../../src/remotes/decision.ts";
import type { FileRecord, ManifestFile } from "../../../src/remotes/manifest.ts";
import type { Observed } from "../../../src/remotes/observed.ts";

const OWNER = { uid: 9869, gid: 9869 };
const record = (sha256: string, more: Partial<FileRecord> = {}): FileRecord => ({ sha256, mode: 0o750, ...OWNER, mtimeNs: 1n, ...more });
const seen = (sha256: string, launcher = false, more: Partial<FileRecord> = {}): Observed => ({ record: record(sha256, more), launcher });
const wanted = (role: Role): Wanted => ({ path: "p", role, mode: 0o750, sha256: "new", write: () => {} });
const entry = (ours: string, original?: string): ManifestFile => ({ path: "p", ours: record(ours), original: original === undefined ? undefined : record(original) });

const nothing: Omit<Decision, "action"> = { original: undefined, takeOriginal: false, aside: false };
const upstream = record("upstream");

describe("decide()", () => {
  const cases: [string, Role, Observed | undefined, ManifestFile | undefined, Decision][] = [
    ["places what is absent", "launcher", undefined, undefined, { ...nothing, action: "place" }],
    ["remembers the original of what somebody removed", "launcher", undefined, entry("new", "upstream"), { ...nothing, action: "place", original: upstream }],
    ["takes an original that was never seen", "launcher", seen("upstream"), undefined, { ...nothing, action: "place", original: upstream, takeOriginal: true }],
    ["takes the newer original of an upgrade", "launcher", seen("newer"), entry("new", "upstream"), { ...nothing, action: "place", original: record("newer"), takeOriginal: true }],
    ["takes the same original when an upgrade put it back", "launcher", seen("upstream"), entry("new", "upstream"), { ...nothing, action: "place", original: upstream, takeOriginal: true }],
    ["keeps what is right", "launcher", seen("new", true), entry("new", "upstream"), { ...nothing, action: "keep", original: upstream }],
    ["renews a wrong mode", "launcher", seen("new", true, { mode: 0o755 }), entry("new"), { ...nothing, action: "place" }],
    ["renews a wrong owner", "launcher", seen("new", true, { uid: 0 }), entry("new"), { ...nothing, action: "place" }],
    ["renews our older launcher", "launcher", seen("old", true), entry("old", "upstream"), { ...nothing, action: "place", original: upstream }],
    ["copies an edited launcher aside", "launcher", seen("edited", true), entry("new", "upstream"), { ...nothing, action: "place", original: upstream, aside: true }],
    ["renews an executable whatever it is", "program", seen("other"), entry("old"), { ...nothing, action: "place" }],
    ["keeps an executable of somebody else as an original", "program", seen("other"), undefined, { ...nothing, action: "place", original: record("other"), takeOriginal: true }],
    ["owns an equal executable that somebody put there", "program", seen("new"), undefined, { ...nothing, action: "keep" }],
    ["leaves edited settings", "settings", seen("edited"), entry("old"), { ...nothing, action: "leave" }],
    ["leaves settings that it did not write", "settings", seen("edited"), undefined, { ...nothing, action: "leave" }],
    ["renews settings that nobody edited", "settings", seen("old"), entry("old"), { ...nothing, action: "place" }],
    ["renews the copy of an upgraded script", "upstream", seen("old"), entry("old"), { ...nothing, action: "place" }],
    ["copies an edited copy aside", "upstream", seen("edited"), entry("old"), { ...nothing, action: "place", aside: true }],
    ["keeps a file that had the name of a copy", "upstream", seen("foreign"), undefined, { ...nothing, action: "place", original: record("foreign"), takeOriginal: true }],
  ];
  test.each(cases)("%s", (_what, role, observed, known, expected) => {
    expect(decide(wanted(role), observed, known, OWNER)).toEqual(expected);
  });

  test("refuses a launcher whose original nobody recorded", () => {
    expect(() => decide(wanted("launcher"), seen("new", true), undefined, OWNER)).toThrow(expect.objectContaining({ code: "FILE_FAILED" }));
  });
});

describe("decideReturn()", () => {
  const cases: [string, Role, Observed | undefined, ManifestFile, ReturnType<typeof decideReturn>][] = [
    ["restores the original", "launcher", seen("new", true), entry("new", "upstream"), { action: "restore", aside: false }],
    ["removes what had no original", "launcher", seen("new", true), entry("new"), { action: "remove", aside: false }],
    ["restores what somebody removed", "launcher", undefined, entry("new", "upstream"), { action: "restore", aside: false }],
    ["has nothing to do where nothing is and was", "launcher", undefined, entry("new"), { action: "leave", aside: false }],
    ["leaves what is restored already", "launcher", seen("upstream"), entry("new", "upstream"), { action: "leave", aside: false }],
    ["leaves what an upgrade brought", "launcher", seen("newer"), entry("new", "upstream"), { action: "leave", aside: false }],
    ["copies an edited launcher aside", "launcher", seen("edited", true), entry("new", "upstream"), { action: "restore", aside: true }],
    ["copies edited settings aside", "settings", seen("edited"), entry("new"), { action: "remove", aside: true }],
    ["copies an edited copy aside", "upstream", seen("edited"), entry("new"), { action: "remove", aside: true }],
    ["removes whatever executable", "program", seen("other"), entry("new"), { action: "remove", aside: false }],
  ];
  test.each(cases)("%s", (_what, role, observed, known, expected) => {
    expect(decideReturn(known, role, observed)).toEqual(expected);
  });
});
