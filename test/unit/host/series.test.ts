import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SeriesDatabases } from "../../../src/host/series.ts";

const VM = { kind: "virtualmachine", id: 7 } as const;
const WEEK = 7 * 86_400;

function series() {
  const directory = join(mkdtempSync(join(tmpdir(), "series-")), "one_db");
  return { directory, series: new SeriesDatabases(directory) };
}

test("series stand where and how the tools of OpenNebula look for them", () => {
  const { directory, series: store } = series();
  store.append(VM, { cpu: 7.25, netrx: 100 }, 1000, WEEK);
  store.append({ kind: "host", id: 3 }, { usedcpu: 50 }, 1000, WEEK);
  using vm = new Database(join(directory, "7.db"), { readonly: true });
  expect(vm.query("SELECT TIMESTAMP, VALUE FROM virtualmachine_7_cpu_monitoring").all()).toEqual([{ TIMESTAMP: 1000, VALUE: 7.25 }]);
  using host = new Database(join(directory, "host.db"), { readonly: true });
  expect(host.query("SELECT VALUE FROM host_3_usedcpu_monitoring").all()).toEqual([{ VALUE: 50 }]);
});

test("points older than the retention are dropped, and a second point of the same second replaces the first", () => {
  const { series: store } = series();
  for (let hour = 0; hour < 400; hour++) store.append(VM, { cpu: hour }, hour * 3600, WEEK);
  const points = store.last(VM, "cpu", 1000);
  expect(points).toHaveLength(WEEK / 3600 + 1);
  expect(points.at(-1)).toEqual({ at: 399 * 3600, value: 399 });
  store.append(VM, { cpu: 1 }, 399 * 3600, WEEK);
  expect(store.last(VM, "cpu", 2).map(({ value }) => value)).toEqual([398, 1]);
});

test("tables that upstream made are gone on with, its trigger included", () => {
  const { directory, series: store } = series();
  store.append(VM, { cpu: 1 }, 10, WEEK);
  using vm = new Database(join(directory, "7.db"));
  vm.run("CREATE TRIGGER IF NOT EXISTS retention AFTER INSERT ON virtualmachine_7_cpu_monitoring BEGIN DELETE FROM virtualmachine_7_cpu_monitoring WHERE TIMESTAMP < strftime('%s', 'now', '-4 week'); END");
  store.append(VM, { cpu: 2 }, 20, WEEK);
  expect(store.last(VM, "cpu", 5)).toEqual([{ at: 10, value: 1 }, { at: 20, value: 2 }]);
});

test("nothing is known of a metric or a VM that was never seen, and a name cannot become SQL", () => {
  const { directory, series: store } = series();
  expect(store.last(VM, "cpu", 2)).toEqual([]);
  expect(existsSync(join(directory, "7.db"))).toBe(false);
  store.append(VM, { cpu: 1 }, 10, WEEK);
  expect(store.last(VM, "memory", 2)).toEqual([]);
  expect(() => store.append(VM, { "x; DROP": 1 }, 10, WEEK)).toThrow("not plain");
});

test("files that nobody has written to for long are removed, and no others", () => {
  const { directory, series: store } = series();
  store.append(VM, { cpu: 1 }, 10, WEEK);
  store.append({ ...VM, id: 8 }, { cpu: 1 }, 10, WEEK);
  writeFileSync(join(directory, "other.db"), "");
  utimesSync(join(directory, "7.db"), 100, 100);
  utimesSync(join(directory, "other.db"), 100, 100);
  store.removeUnused(200);
  expect(["7.db", "8.db", "other.db"].map((name) => existsSync(join(directory, name)))).toEqual([false, true, true]);
});

test("a file that is no database is an error with its path", () => {
  const { directory, series: store } = series();
  store.append(VM, { cpu: 1 }, 10, WEEK);
  writeFileSync(join(directory, "7.db"), "no database at all, but long enough to be read as the header of one, which it is not".repeat(20));
  expect(() => store.append(VM, { cpu: 1 }, 20, WEEK)).toThrow(join(directory, "7.db"));
});

test("series of a clock that had gone back were compared with points of a time to come", () => {
  const { series: store } = series();
  store.append(VM, { netrx: 100 }, 10_000, WEEK);
  const first = store.append(VM, { netrx: 160 }, 6_400, WEEK);
  const second = store.append(VM, { netrx: 190 }, 6_430, WEEK);
  expect([first, second, store.last(VM, "netrx", 9)]).toEqual([{}, { netrx: { at: 6_400, value: 160 } }, [{ at: 6_400, value: 160 }, { at: 6_430, value: 190 }]]);
});

test("the points of several passes are written together, those of a metric that came later too", () => {
  const { series: store } = series();
  store.append(VM, { cpu: 1 }, 10, WEEK);
  const before = store.appendAll(VM, [{ values: { cpu: 2 }, at: 20 }, { values: { cpu: 3, memory: 9 }, at: 30 }], WEEK);
  expect([before, store.last(VM, "cpu", 9), store.last(VM, "memory", 9)]).toEqual([{ cpu: { at: 10, value: 1 } }, [{ at: 10, value: 1 }, { at: 20, value: 2 }, { at: 30, value: 3 }], [{ at: 30, value: 9 }]]);
});
