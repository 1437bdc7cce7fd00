import { describe, expect, test } from "bun:test";
import { OnevirtError } from "../../../src/core/errors.ts";
import { Journal, type JournalEntry } from "../../../src/migration/journal.ts";
import { FakeFiles } from "../../fakes/files.ts";

const UUID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const entry: JournalEntry = {
  uuid: UUID, name: "one-7", source: "hosta", destination: "hostb", destinationUri: "qemu+ssh://hostb/system", phase: "migrate", wasRunning: true, definedBefore: false,
  snapshots: [{ name: "snap-0", xml: "<domainsnapshot/>" }], currentSnapshot: "snap-0", made: [],
};

describe("journal of a migration", () => {
  test("keeps an entry for oneadmin alone, found by UUID and by name, until it is closed", () => {
    const files = new FakeFiles({});
    const journal = new Journal(files, "/state");
    journal.write(entry);
    expect(journal.find(UUID.toUpperCase())).toMatchObject(entry);
    expect(journal.find("one-7")).toMatchObject(entry);
    expect(files.modeOf(journal.pathOf(UUID))).toBe(0o600);
    journal.close(UUID);
    journal.close(UUID);
    expect([journal.find(UUID), journal.find("one-7"), journal.all()]).toEqual([undefined, undefined, []]);
  });

  test.each(["", "{", "null", "[]", `{"uuid":"11111111-2222-4333-8444-555555555555"}`, JSON.stringify({ ...entry, made: 1 })])("that is damaged (%j) is an error, never an empty one", (text) => {
    const journal = new Journal(new FakeFiles({ [`/state/migration-${UUID}.json`]: text }), "/state");
    expect(() => journal.find(UUID)).toThrow(OnevirtError);
  });

  test("knows no path but its own", () => {
    const journal = new Journal(new FakeFiles({ "/state/migration-x.json": "{}", "/etc/passwd": "root" }), "/state");
    expect([journal.find("../../etc/passwd"), journal.find("x")]).toEqual([undefined, undefined]);
  });
});
