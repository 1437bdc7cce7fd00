import { OnevirtError } from "../../src/core/errors.ts";
import type { SeriesOwner, SeriesPoint, SeriesStore, Storage, StorageEntry, StorageSpace } from "../../src/core/ports.ts";
import type { FakeFiles } from "./files.ts";

/** File systems in memory: what stands in the fake files, and room that the test gave. */
export class FakeStorage implements Storage {
  /** Whatever begins like this never answers. */
  readonly hanging = new Set<string>();
  /** Room by directory; a directory that exists and is not here has that of "/". */
  readonly spaces = new Map<string, StorageSpace>();
  /** Bytes on disk by path, where they are not those of the content. */
  readonly onDisk = new Map<string, number>();

  constructor(private readonly files: FakeFiles) {}

  async names(path: string): Promise<readonly string[]> {
    return this.#answering(path).names(path).toSorted();
  }

  async text(path: string): Promise<string | undefined> {
    return this.#answering(path).findText(path);
  }

  async space(path: string): Promise<StorageSpace | undefined> {
    return this.#answering(path).kind(path) === undefined ? undefined : (this.spaces.get(path) ?? this.spaces.get("/"));
  }

  async look(path: string): Promise<StorageEntry | undefined> {
    const kind = this.#answering(path).kind(path);
    const bytes = this.files.head(path, Infinity)?.length ?? 0;
    return kind && { kind: kind === "symlink" ? "other" : kind, bytes, allocated: this.onDisk.get(path) ?? bytes };
  }

  async allocated(path: string): Promise<number | undefined> {
    return this.#answering(path).kind(path) && (this.onDisk.get(path) ?? 0);
  }

  #answering(path: string): FakeFiles {
    if ([...this.hanging].some((start) => path.startsWith(start))) throw new OnevirtError("TIMED_OUT", `Cannot read "${path}": it does not answer`);
    return this.files;
  }
}

/** Time series in memory. */
export class FakeSeries implements SeriesStore {
  readonly points = new Map<string, SeriesPoint[]>();
  broken = false;

  append({ kind, id }: SeriesOwner, values: Readonly<Record<string, number>>, at: number, keepSeconds: number): Readonly<Record<string, SeriesPoint>> {
    if (this.broken) throw new OnevirtError("FILE_FAILED", "Cannot write: no space left on the device");
    const before: Record<string, SeriesPoint> = {};
    for (const [metric, value] of Object.entries(values)) {
      const key = `${kind} ${id} ${metric}`;
      const known = this.points.get(key) ?? [];
      const newest = known.at(-1);
      if (newest) before[metric] = newest;
      this.points.set(key, [...known.filter((point) => point.at >= at - keepSeconds && point.at !== at), { at, value }]);
    }
    return before;
  }

  /** Owners whose points had to be in the file, in order. */
  readonly flushed: string[] = [];

  flush({ kind, id }: SeriesOwner): void {
    this.flushed.push(`${kind} ${id}`);
  }

  last({ kind, id }: SeriesOwner, metric: string, count: number): readonly SeriesPoint[] {
    return (this.points.get(`${kind} ${id} ${metric}`) ?? []).slice(-count);
  }

  removeUnused(): void {
    // nothing here is ever unused
  }
}
