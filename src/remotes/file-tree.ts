import { dirname, basename, join } from "node:path";
import { Directory, type FileFacts } from "./directory.ts";
import { refusal } from "./failure.ts";

/** A tree of files, by paths relative to its root. Each directory is opened once, without following a link, and stays open. */
export class FileTree implements Disposable {
  readonly #open = new Map<string, Directory>();

  constructor(readonly root: Directory) {
    this.#open.set(".", root);
  }

  static open(path: string): FileTree {
    return new FileTree(Directory.open(path));
  }

  /** A directory of the tree; undefined when it, or one above it, is absent. */
  directory(path: string): Directory | undefined {
    const known = this.#open.get(path);
    if (known) return known;
    const found = this.directory(dirname(path))?.child(basename(path));
    if (found) this.#open.set(path, found);
    return found;
  }

  /** A directory of the tree; `make` is called for each one that is missing, the outermost first. */
  ensure(path: string, make: (parent: Directory, path: string) => Directory): Directory {
    const found = this.directory(path);
    if (found) return found;
    const made = make(this.ensure(dirname(path), make), path);
    this.#open.set(path, made);
    return made;
  }

  find(path: string): FileFacts | undefined {
    return this.directory(dirname(path))?.find(basename(path));
  }

  /** Opens a file for reading. The caller closes it. */
  openFile(path: string): number {
    const directory = this.directory(dirname(path));
    if (!directory) throw refusal(`read "${this.pathOf(path)}"`, "no such file or directory");
    return directory.openFile(basename(path));
  }

  pathOf(path: string): string {
    return join(this.root.path, path);
  }

  [Symbol.dispose](): void {
    for (const directory of this.#open.values()) directory[Symbol.dispose]();
  }
}
