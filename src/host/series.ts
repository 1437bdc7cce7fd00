import type { Database } from "bun:sqlite";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { OnevirtError, messageOf } from "../core/errors.ts";
import type { SeriesOwner, SeriesPoint, SeriesStore } from "../core/ports.ts";

/** Where tools of OpenNebula look for time series (monitoring.md 9.1): an interface. */
const DIRECTORY = "/var/tmp/one_db";

/** Old points are looked for when an hour begins, not in every pass. */
const HOUR = 3600;

/** The numbers of one pass. */
export interface SeriesPass {
  readonly values: Readonly<Record<string, number>>;
  readonly at: number;
}

/** SQLite files: one for the host, one for each VM; one table for each metric. A reader of others may hold one for a moment. */
export class SeriesDatabases implements SeriesStore {
  constructor(private readonly directory = DIRECTORY) {}

  append(owner: SeriesOwner, values: Readonly<Record<string, number>>, at: number, keepSeconds: number): Readonly<Record<string, SeriesPoint>> {
    return this.appendAll(owner, [{ values, at }], keepSeconds);
  }

  /** The same for the points of several passes, oldest first: to open the file costs more than to write to it. Gives what was before the first one. */
  appendAll(owner: SeriesOwner, passes: readonly SeriesPass[], keepSeconds: number): Readonly<Record<string, SeriesPoint>> {
    const tables = pointsByMetric(passes).map(([metric, points]) => ({ metric, points, table: tableOf(owner, metric) }));
    if (tables.length === 0) return {};
    return this.#using(owner, true, (database) => {
      database.run("BEGIN IMMEDIATE");
      const before = tables.map(({ metric, table, points }) => [metric, addPoints(database, table, points, keepSeconds)] as const);
      database.run("COMMIT");
      return Object.fromEntries(before.filter((each): each is [string, SeriesPoint] => each[1] !== undefined));
    });
  }

  last(owner: SeriesOwner, metric: string, count: number): readonly SeriesPoint[] {
    if (!existsSync(this.#file(owner))) return [];
    const table = tableOf(owner, metric);
    return this.#using(owner, false, (database) => {
      if (!database.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(table)) return [];
      return (database.query(`SELECT TIMESTAMP AS at, VALUE AS value FROM ${table} ORDER BY TIMESTAMP DESC LIMIT ?`).all(count) as SeriesPoint[]).reverse();
    });
  }

  /** Nothing waits here. */
  flush(): void {
    return;
  }

  removeUnused(before: number): void {
    if (!existsSync(this.directory)) return;
    const files = readdirSync(this.directory).filter((name) => /^(host|-?\d+)\.db$/.test(name)).map((name) => join(this.directory, name));
    for (const path of files) if (statSync(path).mtimeMs / 1000 < before) rmSync(path, { force: true });
  }

  #file({ kind, id }: SeriesOwner): string {
    return join(this.directory, kind === "host" ? "host.db" : `${id}.db`);
  }

  /** Losing the last seconds in a power cut is no loss: nothing is flushed, and no journal is written. */
  #using<T>(owner: SeriesOwner, create: boolean, work: (database: Database) => T): T {
    const path = this.#file(owner);
    try {
      if (create) mkdirSync(this.directory, { recursive: true, mode: 0o750 });
      using database = new (sqlite().Database)(path, create ? { create: true } : { readonly: true });
      database.run("PRAGMA busy_timeout = 200");
      if (create) for (const pragma of ["synchronous = OFF", "journal_mode = MEMORY"]) database.run(`PRAGMA ${pragma}`);
      return work(database);
    } catch (cause) {
      throw new OnevirtError("FILE_FAILED", `Cannot ${create ? "write" : "read"} "${path}": ${messageOf(cause)}`, { cause });
    }
  }
}

/** Loaded by whoever keeps or reads a series, at the first one: every action has a store at hand and uses none, and the module costs 3 ms of the start of a process. */
function sqlite(): typeof import("bun:sqlite") {
  return require("bun:sqlite") as typeof import("bun:sqlite");
}

/** Names are ours, but they end in SQL. */
function tableOf({ kind, id }: SeriesOwner, metric: string): string {
  const table = `${kind}_${id}_${metric}_monitoring`;
  if (!/^\w+$/.test(table)) throw new OnevirtError("BAD_INPUT", `Cannot keep the series ${JSON.stringify(table)}: its name is not plain`);
  return table;
}

function pointsByMetric(passes: readonly SeriesPass[]): readonly (readonly [metric: string, points: readonly SeriesPoint[]])[] {
  const found = new Map<string, SeriesPoint[]>();
  for (const { values, at } of passes)
    for (const [metric, value] of Object.entries(values)) found.set(metric, [...(found.get(metric) ?? []), { at, value }]);
  return [...found];
}

/**
 * Adds points, oldest first, and gives the newest one that was there before. Points of a time to come are of a clock that has gone back:
 * what follows them could not be told from what was before.
 */
function addPoints(database: Database, table: string, points: readonly SeriesPoint[], keepSeconds: number): SeriesPoint | undefined {
  const [first, last] = [points[0]?.at ?? 0, points.at(-1)?.at ?? 0];
  database.run(`CREATE TABLE IF NOT EXISTS ${table} (TIMESTAMP INTEGER PRIMARY KEY, VALUE REAL NOT NULL)`);
  const before = database.query(`SELECT TIMESTAMP AS at, VALUE AS value FROM ${table} ORDER BY TIMESTAMP DESC LIMIT 1`).get() as SeriesPoint | null;
  const wentBack = before !== null && before.at > first;
  if (wentBack) database.run(`DELETE FROM ${table} WHERE TIMESTAMP > ?`, [first]);
  if (before === null || Math.floor(before.at / HOUR) !== Math.floor(last / HOUR)) database.run(`DELETE FROM ${table} WHERE TIMESTAMP < ?`, [last - keepSeconds]);
  database.run(`INSERT OR REPLACE INTO ${table} VALUES ${points.map(() => "(?, ?)").join(", ")}`, points.flatMap(({ at, value }) => [at, value]));
  return wentBack ? undefined : (before ?? undefined);
}
