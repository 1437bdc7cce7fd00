import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Files, StateStore } from "../core/ports.ts";

/** JSON files in a directory outside the synced tree, where each copy of the tree would delete them (install-and-sync 3.2). */
export class FileState implements StateStore {
  constructor(
    private readonly directory: string,
    private readonly files: Files,
  ) {}

  /** What was written last; undefined when there is nothing, or nothing readable. */
  read(name: string): unknown {
    try {
      return JSON.parse(readFileSync(join(this.directory, `${name}.json`), "utf8"));
    } catch {
      return undefined;
    }
  }

  write(name: string, value: unknown): void {
    this.files.writeAtomic(join(this.directory, `${name}.json`), JSON.stringify(value), 0o640, { flush: false });
  }
}
