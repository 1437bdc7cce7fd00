import { describe, expect, test } from "bun:test";
import { type Absence, type LedgerRow, pass } from "../../../src/monitor/state-ledger.ts";
import { vmIdOf, vmStateOf, type VmState } from "../../../src/monitor/vm-state.ts";

const row = (more: Partial<LedgerRow> = {}): LedgerRow => ({ uuid: "u", id: 7, state: "RUNNING", missing: 0, since: 0, ...more });
const see = (state: VmState = "RUNNING", uuid = "u") => ({ uuid, id: 7, state });

/** One pass at second 100, and what it says and keeps. */
function look(rows: readonly LedgerRow[], { seen = [], absence = "absent", now = 100, sync = false }: { seen?: readonly ReturnType<typeof see>[]; absence?: Absence; now?: number; sync?: boolean }) {
  const report = pass(rows, { seen, now, sync, timesMissing: 5, periodSeconds: 5, absence: () => absence });
  return { says: report.changes.map(({ state }) => state), keeps: report.rows };
}

describe("pass()", () => {
  test("pass() reports what is new and what changed, and nothing else", () => {
    expect([look([], { seen: [see()] }).says, look([row()], { seen: [see()] }).says, look([row()], { seen: [see("SUSPENDED")] }).says, look([row()], { seen: [see()], sync: true }).says]).toEqual([["RUNNING"], [], ["SUSPENDED"], ["RUNNING"]]);
  });

  test("pass() believes plain absence after five passes, and keeps the last state until then", () => {
    let rows: readonly LedgerRow[] = [row()];
    const said = Array.from({ length: 7 }, (_, index) => {
      const { says, keeps } = look(rows, { now: 100 + index * 5 });
      rows = keeps;
      return says.join();
    });
    expect([said, rows.map(({ state }) => state)]).toEqual([["", "", "", "", "", "POWEROFF", ""], ["POWEROFF"]]);
  });

  const absences: [Absence, readonly string[], number][] = [["ended", ["POWEROFF"], 1], ["left", [], 0], ["held", [], 1], ["alive", [], 1], ["unsure", [], 1]];
  test.each(absences)("pass() of a VM that is %s", (absence, says, kept) => {
    const result = look([row({ missing: 5 })], { absence });
    expect([result.says, result.keeps.length] as unknown[]).toEqual([says, kept]);
  });

  test("pass() at a sync lists what is absent but not given up, or OpenNebula would power it off at once", () => {
    expect([look([row()], { sync: true }).says, look([row()], { absence: "held", sync: true }).says, look([row()], { absence: "unsure", sync: true }).says]).toEqual([["RUNNING"], ["RUNNING"], ["RUNNING"]]);
  });

  test("pass() says a power-off again when OpenNebula was deaf to it: 35 s after the VM was first seen, and 35 s after it ended", () => {
    const first = look([row({ since: 90 })], { absence: "ended" });
    const soon = look(first.keeps, { now: 110 });
    const later = look(soon.keeps, { now: 125 });
    const last = look(later.keeps, { now: 135 });
    expect([first.says, soon.says, later.says, look(later.keeps, { now: 130 }).says, last.says, last.keeps]).toEqual([["POWEROFF"], [], ["POWEROFF"], [], ["POWEROFF"], []]);
  });

  test("pass() says a change within that time again, too", () => {
    const first = look([row({ since: 90 })], { seen: [see("FAILURE")] });
    const later = look(first.keeps, { seen: [see("FAILURE")], now: 125 });
    const last = look(later.keeps, { seen: [see("FAILURE")], now: 135 });
    expect([first.says, look(first.keeps, { seen: [see("FAILURE")], now: 110 }).says, later.says, look(later.keeps, { seen: [see("FAILURE")], now: 130 }).says, last.says, look(last.keeps, { seen: [see("FAILURE")], now: 140 }).says]).toEqual([["FAILURE"], [], ["FAILURE"], [], ["FAILURE"], []]);
  });

  test("pass() says every change once more, 35 s later: OpenNebula is deaf after an earlier one, and after actions of its own", () => {
    const suspended = look([row()], { seen: [see("SUSPENDED")] });
    const resumed = look(suspended.keeps, { seen: [see()], now: 105 });
    const later = [135, 140, 145].map((now) => look(resumed.keeps, { seen: [see()], now }).says);
    expect([suspended.says, resumed.says, later, look(look([row()], { absence: "ended" }).keeps, { now: 135 })]).toEqual([["SUSPENDED"], ["RUNNING"], [[], ["RUNNING"], ["RUNNING"]], { says: ["POWEROFF"], keeps: [] }]);
  });

  test("pass() forgets the UUID of a VM that was deployed again", () => {
    expect(look([row()], { seen: [see("RUNNING", "v")] })).toEqual({ says: ["RUNNING"], keeps: [row({ uuid: "v", since: 100 })] });
  });
});

describe("vmStateOf()", () => {
  test.each([["running", 0, "RUNNING"], ["shutdown", 0, "RUNNING"], ["crashed", 0, "FAILURE"], ["pmsuspended", 0, "SUSPENDED"], ["shutoff", 0, "UNKNOWN"], ["paused", 1, "SUSPENDED"], ["paused", 2, "RUNNING"], ["paused", 5, "FAILURE"], ["paused", 9, "UNKNOWN"], ["paused", 99, "FAILURE"]] as const)("vmStateOf() %s, reason %d", (state, reason, expected) => {
    expect(vmStateOf({ state, reason })).toBe(expected);
  });

  test("vmIdOf() knows OpenNebula's names only", () => {
    expect(["one-7", "one-", "one-7x", "wild", "one-12345678901"].map(vmIdOf)).toEqual([7, undefined, undefined, undefined, undefined]);
  });
});
