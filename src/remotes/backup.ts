import { basename, dirname, join } from "node:path";
import { closing, copyBytes, digestOf, textOf, writeAll } from "./bytes.ts";
import { Directory } from "./directory.ts";
import { orAbsent, refusal } from "./failure.ts";
import { FileTree } from "./file-tree.ts";
import { readManifest, writeManifest, type FileRecord, type Manifest } from "./manifest.ts";
import { removeWaitingBelow, TURN, type Owner, type Transaction } from "./transaction.ts";

const MANIFEST = "manifest.json";
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;

/**
 * What install replaced, outside of the tree: `originals/<path>` with mode, owner and time, `changed/<path>.<digest>` for files of
 * ours that somebody edited, and the manifest. Root restores from here, so it must belong to root alone.
 */
export class Backup implements Disposable {
  readonly manifest: Manifest | undefined;
  readonly #parent: Directory;
  readonly #self: Owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  #files: FileTree | undefined;

  /** Opens the backup of a tree; nothing is made yet. */
  constructor(
    readonly path: string,
    tree: string,
  ) {
    this.#parent = Directory.open(dirname(path));
    const directory = this.#parent.child(basename(path));
    if (!directory) return;
    this.#refuseForeign(directory);
    this.#files = new FileTree(directory);
    this.manifest = this.#readManifest();
    if (this.manifest && this.manifest.tree !== tree) throw refusal(`use the backup "${path}"`, `it belongs to the tree "${this.manifest.tree}"`, "give another directory with --backup");
  }

  /** Removes what a crash left waiting. */
  removeWaiting(): void {
    if (this.#files) removeWaitingBelow(this.#files.root);
  }

  /** Copies the file that install is about to replace. */
  keepOriginal(path: string, record: FileRecord, file: number, transaction: Transaction): void {
    this.#keep(join("originals", path), record, file, transaction);
  }

  /** Copies a file of ours that somebody changed. Gives the place. */
  keepChanged(path: string, record: FileRecord, file: number, transaction: Transaction): string {
    const name = join("changed", `${path}.${record.sha256.slice(0, 12)}`);
    this.#keep(name, record, file, transaction);
    return join(this.path, name);
  }

  /** Opens a kept original after comparing it with the manifest. The caller closes it. */
  openOriginal(path: string, { sha256 }: FileRecord): number {
    const name = join("originals", path);
    if (!this.#files) throw refusal(`read "${join(this.path, name)}"`, "there is no backup");
    if (closing(this.#files.openFile(name), digestOf) !== sha256) throw refusal(`restore "${path}"`, `the file kept in "${join(this.path, name)}" was changed`, "reinstall OpenNebula's package");
    return this.#files.openFile(name);
  }

  /** The directory itself, made when it is absent. */
  room(transaction: Transaction): Directory {
    return this.#ensure(transaction).root;
  }

  writeManifest(manifest: Manifest, transaction: Transaction): void {
    const bytes = Buffer.from(writeManifest(manifest));
    transaction.place({ directory: this.#ensure(transaction).root, name: MANIFEST, mode: PRIVATE_FILE, owner: this.#self, turn: TURN.manifest, write: (fd) => writeAll(fd, bytes) });
  }

  removeManifest(transaction: Transaction): void {
    if (this.#files) transaction.remove(this.#files.root, MANIFEST, TURN.end);
  }

  /** Removes kept originals, and every directory that is empty then. Changed files stay. */
  clear(paths: readonly string[]): void {
    const files = this.#files;
    if (!files) return;
    for (const path of paths) files.directory(dirname(join("originals", path)))?.remove(basename(path));
    removeWaitingBelow(files.root);
    this.#parent.removeEmpty(basename(this.path));
  }

  [Symbol.dispose](): void {
    this.#files?.[Symbol.dispose]();
    this.#parent[Symbol.dispose]();
  }

  #keep(name: string, { mode, uid, gid, mtimeNs }: FileRecord, file: number, transaction: Transaction): void {
    const directory = this.#ensure(transaction).ensure(dirname(name), (parent, path) => transaction.makeDirectory(parent, path, PRIVATE_DIRECTORY, this.#self));
    transaction.place({ directory, name: basename(name), mode, owner: { uid, gid }, mtimeNs, turn: TURN.backup, write: (fd) => copyBytes(file, fd) });
  }

  #ensure(transaction: Transaction): FileTree {
    this.#files ??= new FileTree(transaction.makeDirectory(this.#parent, this.path, PRIVATE_DIRECTORY, this.#self));
    return this.#files;
  }

  #readManifest(): Manifest | undefined {
    const fd = orAbsent("read", join(this.path, MANIFEST), () => (this.#files?.find(MANIFEST) ? this.#files.openFile(MANIFEST) : undefined));
    return fd === undefined ? undefined : readManifest(closing(fd, textOf), join(this.path, MANIFEST));
  }

  /** Whoever may write here decides what root puts into the tree, with which owner and mode. */
  #refuseForeign(directory: Directory): void {
    const { uid, mode } = directory.facts();
    const hint = "run this as the user who installed, or give another directory with --backup";
    if (uid !== this.#self.uid) throw refusal(`use the backup "${this.path}"`, `it belongs to uid ${uid}, and this is uid ${this.#self.uid}`, hint);
    if ((mode & 0o022) !== 0) throw refusal(`use the backup "${this.path}"`, "others may write to it", `chmod go-w ${this.path}, if nobody did`);
  }
}
