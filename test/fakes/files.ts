import { dirname, normalize } from "node:path";
import { OnevirtError } from "../../src/core/errors.ts";
import type { FileKind, Files } from "../../src/core/ports.ts";

interface Entry {
  readonly kind: FileKind;
  readonly data: Uint8Array;
  readonly mode: number;
  readonly target: string;
}

/** A file system in memory. Text is a file; `{ link }` a symbolic link. */
export class FakeFiles implements Files {
  /** Every change in order. */
  readonly calls: string[] = [];
  readonly #entries = new Map<string, Entry>();
  readonly #readOnly = new Set<string>();

  constructor(files: Readonly<Record<string, string | { readonly link: string }>> = {}) {
    for (const [path, content] of Object.entries(files)) this.put(path, content);
  }

  put(path: string, content: string | Uint8Array | { readonly link: string }): void {
    const link = typeof content === "object" && "link" in content ? content.link : undefined;
    const data = link === undefined ? Buffer.from(content as string) : Buffer.alloc(0);
    this.#add(path, { kind: link === undefined ? "file" : "symlink", data, mode: 0o644, target: link ?? "" });
  }

  /** Nothing below this directory can be written from now on. */
  freeze(directory: string): void {
    this.#readOnly.add(normalize(directory));
  }

  /** Contents of all files as text, by path. */
  texts(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#entries].filter(([, { kind }]) => kind === "file").map(([path, { data }]) => [path, Buffer.from(data).toString("utf8")]));
  }

  modeOf(path: string): number | undefined {
    return this.#entries.get(normalize(path))?.mode;
  }

  kind(path: string): FileKind | undefined {
    return this.#entries.get(normalize(path))?.kind;
  }

  findText(path: string, maxBytes = 16 * 1024 * 1024): string | undefined {
    const entry = this.#entries.get(normalize(path));
    if (entry && entry.data.length > maxBytes) throw failed(`Cannot read "${path}": it has ${entry.data.length} bytes`);
    return entry && Buffer.from(entry.data).toString("utf8");
  }

  readLink(path: string): string | undefined {
    const entry = this.#entries.get(normalize(path));
    return entry?.kind === "symlink" ? entry.target : undefined;
  }

  head(path: string, bytes: number): Uint8Array | undefined {
    return this.#entries.get(normalize(path))?.data.subarray(0, bytes);
  }

  names(directory: string): readonly string[] {
    return [...this.#entries.keys()].filter((path) => dirname(path) === normalize(directory)).map((path) => path.slice(dirname(path).length + 1));
  }

  writeAtomic(path: string, data: string | Uint8Array, mode: number): void {
    this.#change("write", path);
    this.#add(path, { kind: "file", data: Buffer.from(data as string), mode, target: "" });
  }

  makeDirectory(path: string, mode: number): void {
    if (this.kind(path) !== undefined) return;
    this.#change("makeDirectory", path);
    this.#add(path, { kind: "directory", data: Buffer.alloc(0), mode, target: "" });
  }

  copyIfAbsent(from: string, to: string): boolean {
    if (this.kind(to) !== undefined) return false;
    this.#change("copy", to);
    this.#add(to, this.#get(from));
    return true;
  }

  rename(from: string, to: string): void {
    this.#change("rename", to);
    this.#add(to, this.#get(from));
    this.#entries.delete(normalize(from));
  }

  remove(path: string): void {
    this.#change("remove", path);
    this.#entries.delete(normalize(path));
  }

  #add(path: string, entry: Entry): void {
    const place = normalize(path).replace(/(?<=.)\/$/, "");
    this.#entries.set(place, entry);
    for (let parent = dirname(place); parent !== "/" && !this.#entries.has(parent); parent = dirname(parent))
      this.#entries.set(parent, { kind: "directory", data: Buffer.alloc(0), mode: 0o755, target: "" });
  }

  #get(path: string): Entry {
    const entry = this.#entries.get(normalize(path));
    if (!entry) throw failed(`Cannot copy "${path}": no such file or directory`);
    return entry;
  }

  #change(doing: string, path: string): void {
    for (const directory of this.#readOnly) if (normalize(path).startsWith(`${directory}/`)) throw failed(`Cannot ${doing} "${path}": the file system is read-only`);
    this.calls.push(`${doing} ${normalize(path)}`);
  }
}

function failed(message: string): OnevirtError {
  return new OnevirtError("FILE_FAILED", message);
}
