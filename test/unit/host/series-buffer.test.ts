import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BufferedSeries } from "../../../src/host/series-buffer.ts";
import { SeriesDatabases } from "../../../src/host/series.ts";

const VM = { kind: "virtualmachine", id: 7 } as const; // of ten turns its first is after 240 s
const WEEK = 7 * 86_400;

function series() {
  const directory = join(mkdtempSync(join(tmpdir(), "series-")), "one_db");
  const written = (id = 7) => {
    using database = new Database(join(directory, `${id}.db`), { readonly: true });
    return database.query(`SELECT TIMESTAMP AS at FROM virtualmachine_${id}_cpu_monitoring ORDER BY at`).all().map((row) => (row as { at: number }).at);
  };
  return { directory, written, store: new BufferedSeries(new SeriesDatabases(directory)) };
}

test("the first pass is written at once, those after it together, and each is told the point before", () => {
  const { store, written } = series();
  const before = [1000, 1030, 1060, 1240].map((at) => [store.append(VM, { cpu: at }, at, WEEK).cpu, written().length]);
  expect(before).toEqual([[undefined, 1], [{ at: 1000, value: 1000 }, 1], [{ at: 1030, value: 1030 }, 1], [{ at: 1060, value: 1060 }, 4]]);
});

test("what an earlier process wrote is the point before the first", () => {
  const { store, directory } = series();
  new SeriesDatabases(directory).append(VM, { cpu: 3 }, 970, WEEK);
  expect(store.append(VM, { cpu: 4 }, 1000, WEEK)).toEqual({ cpu: { at: 970, value: 3 } });
});

test("the end of the process writes what waits, and so does who reads", () => {
  const { store, written } = series();
  for (const at of [1000, 1030]) store.append(VM, { cpu: 1 }, at, WEEK);
  expect(store.last(VM, "cpu", 9).map(({ at }) => at)).toEqual([1000, 1030]);
  store.append(VM, { cpu: 1 }, 1060, WEEK);
  store[Symbol.dispose]();
  expect(written()).toEqual([1000, 1030, 1060]);
});

test("the points of a VM that has ended are written by the passes of others", () => {
  const { store, written } = series();
  for (const at of [1000, 1030]) store.append({ ...VM, id: 8 }, { cpu: 1 }, at, WEEK);
  for (let at = 1060; at < 2000; at += 30) store.append(VM, { cpu: 1 }, at, WEEK);
  expect(written(8)).toEqual([1000, 1030]);
});

test("a clock that goes back begins anew, and no point of a time to come is left", () => {
  const { store } = series();
  for (const at of [10_000, 10_030, 6_400]) store.append(VM, { cpu: at }, at, WEEK);
  expect([store.append(VM, { cpu: 1 }, 6_430, WEEK), store.last(VM, "cpu", 9).map(({ at }) => at)]).toEqual([{ cpu: { at: 6_400, value: 6_400 } }, [6_400, 6_430]]);
});

test("a file that cannot be written to is told in every pass, and written again when it can be", () => {
  const { store, directory, written } = series();
  store.append(VM, { cpu: 1 }, 1000, WEEK);
  writeFileSync(join(directory, "7.db"), "no database at all, but long enough to be read as the header of one, which it is not".repeat(20));
  const failures = [1300, 1330, 1360].map((at) => {
    try {
      return store.append(VM, { cpu: 1 }, at, WEEK);
    } catch (error) {
      return (error as Error).message.includes("7.db");
    }
  });
  rmSync(join(directory, "7.db"));
  store.append(VM, { cpu: 1 }, 1390, WEEK);
  expect([failures, written()]).toEqual([[true, true, true], [1390]]);
});

test("points waited for minutes while a program read the file; now flush() writes them, and only the owner's", () => {
  const { store, written } = series();
  for (const id of [7, 8]) for (const at of [1000, 1030, 1060]) store.append({ ...VM, id }, { cpu: 1 }, at, WEEK);
  store.flush(VM);
  expect([written(7), written(8), store.append(VM, { cpu: 2 }, 1090, WEEK)]).toEqual([[1000, 1030, 1060], [1000], { cpu: { at: 1060, value: 1 } }]);
});
