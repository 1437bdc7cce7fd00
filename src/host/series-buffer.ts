import type { SeriesOwner, SeriesPoint, SeriesStore } from "../core/ports.ts";
import type { SeriesDatabases, SeriesPass } from "./series.ts";

/** Points wait at most so long; whoever reads the files looks at hours. */
const WAIT_SECONDS = 300;

/** Owners are written to in turn, so many passes apart, so that no pass has to write to all files. */
const TURNS = 10;

/** What one owner has that its file has not. */
interface Waiting {
  readonly owner: SeriesOwner;
  readonly keepSeconds: number;
  readonly passes: SeriesPass[];
  /** The newest point of each metric. */
  readonly newest: Record<string, SeriesPoint>;
  /** When it is written at the latest. */
  due: number;
}

/**
 * Series of a resident process: the points of some minutes are written together, because with a hundred VMs a hundred files are opened
 * otherwise in every pass, which costs more than all the rest of it. A process that is killed loses those minutes.
 */
export class BufferedSeries implements SeriesStore, Disposable {
  readonly #waiting = new Map<string, Waiting>();
  #nextLook = 0;

  constructor(private readonly store: SeriesDatabases) {}

  append(owner: SeriesOwner, values: Readonly<Record<string, number>>, at: number, keepSeconds: number): Readonly<Record<string, SeriesPoint>> {
    this.#writeThoseThatHaveEnded(at);
    const waiting = this.#waiting.get(keyOf(owner));
    const before = Object.values(waiting?.newest ?? {}).reduce((latest, point) => Math.max(latest, point.at), Number.NEGATIVE_INFINITY);
    if (waiting === undefined || at <= before) return this.#begin(owner, values, at, keepSeconds);
    const known = Object.fromEntries(Object.keys(values).flatMap((metric) => (waiting.newest[metric] ? [[metric, waiting.newest[metric]]] : [])));
    note(waiting, { values, at });
    if (at >= waiting.due) {
      this.#write(waiting);
      waiting.due = at + WAIT_SECONDS;
    }
    return known;
  }

  last(owner: SeriesOwner, metric: string, count: number): readonly SeriesPoint[] {
    this.flush(owner);
    return this.store.last(owner, metric, count);
  }

  flush(owner: SeriesOwner): void {
    this.#write(this.#waiting.get(keyOf(owner)));
  }

  removeUnused(before: number): void {
    this.store.removeUnused(before);
  }

  /** Writes what waits; a file that cannot be written to costs its own points only. */
  [Symbol.dispose](): void {
    for (const waiting of this.#waiting.values()) this.#quietly(waiting);
    this.#waiting.clear();
  }

  /** The first pass is written at once: what was before is in the file, and so is the proof that it can be written to. So is one that does not follow the one before. */
  #begin(owner: SeriesOwner, values: Readonly<Record<string, number>>, at: number, keepSeconds: number): Readonly<Record<string, SeriesPoint>> {
    this.flush(owner);
    this.#waiting.delete(keyOf(owner));
    const before = this.store.append(owner, values, at, keepSeconds);
    const waiting: Waiting = { owner, keepSeconds, passes: [], newest: {}, due: at + (WAIT_SECONDS / TURNS) * (1 + (owner.id % TURNS)) };
    note(waiting, { values, at });
    waiting.passes.length = 0;
    this.#waiting.set(keyOf(owner), waiting);
    return before;
  }

  /** Points that cannot be written are lost, and the next pass begins anew. */
  #write(waiting: Waiting | undefined): void {
    if (waiting === undefined || waiting.passes.length === 0) return;
    const passes = waiting.passes.splice(0);
    try {
      this.store.appendAll(waiting.owner, passes, waiting.keepSeconds);
    } catch (error) {
      this.#waiting.delete(keyOf(waiting.owner));
      throw error;
    }
  }

  #quietly(waiting: Waiting): void {
    try {
      this.#write(waiting);
    } catch {
      return; // whoever appends next hears of it
    }
  }

  /** Whoever was not heard of when it was due has ended. */
  #writeThoseThatHaveEnded(now: number): void {
    if (now < this.#nextLook) return;
    this.#nextLook = now + WAIT_SECONDS;
    for (const [key, waiting] of this.#waiting) {
      if (now < waiting.due + WAIT_SECONDS) continue;
      this.#quietly(waiting);
      this.#waiting.delete(key);
    }
  }
}

function note({ passes, newest }: Waiting, pass: SeriesPass): void {
  passes.push(pass);
  for (const [metric, value] of Object.entries(pass.values)) newest[metric] = { at: pass.at, value };
}

function keyOf({ kind, id }: SeriesOwner): string {
  return `${kind} ${id}`;
}
