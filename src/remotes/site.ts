import { readFileSync } from "node:fs";
import { generationOf } from "../core/generation.ts";
import { tryLock } from "../host/libc.ts";
import { closing, headOf } from "./bytes.ts";
import { attempt, orAbsent, refusal } from "./failure.ts";
import { FileTree } from "./file-tree.ts";
import type { Monitor } from "./monitoring.ts";
import { readerOf, type Reader } from "./reader.ts";
import { removeWaiting, type Owner } from "./transaction.ts";

const VERSION_BYTES = 4096;

/** A remotes tree that we may work on, and who owns it. */
export class Site implements Disposable {
  readonly owner: Owner;

  private constructor(readonly tree: FileTree) {
    this.owner = tree.root.facts();
  }

  /** Who copies the tree to the hosts. */
  get reader(): Reader {
    return readerOf(this.owner, readIfThere("/etc/passwd"), readIfThere("/etc/group"));
  }

  /** The version of OpenNebula, as the tree says it. */
  get version(): string {
    return closing(this.tree.openFile("VERSION"), (fd) => headOf(fd, VERSION_BYTES)).trim();
  }

  /** Who takes the reports of its hosts. */
  get monitor(): Monitor {
    return generationOf(this.version).monitoring;
  }

  /** Opens the tree for looking at it. FILE_FAILED when the directory is no remotes tree. */
  static open(path: string): Site {
    const tree = FileTree.open(path);
    const missing = tree.find("VERSION")?.kind !== "file" ? "VERSION" : !tree.directory("vmm/kvm") ? "vmm/kvm" : undefined;
    if (missing) throw refusal(`use "${path}"`, `it is no remotes tree: there is no ${missing}`, "give the tree of the front-end with --tree");
    return new Site(tree);
  }

  /** Opens the tree for changing it: as root or as its owner, one at a time. What a crash left behind is removed. */
  static openForChange(path: string): Site {
    const site = Site.open(path);
    const uid = process.geteuid?.() ?? 0;
    if (uid !== 0 && uid !== site.owner.uid) throw refusal(`change "${path}"`, `it belongs to uid ${site.owner.uid}, and this is uid ${uid}`, "run this as root, or as the owner of the tree");
    if (!attempt("lock", path, () => tryLock(site.tree.root.fd))) throw refusal(`change "${path}"`, "another installation is working on it", "try again when it has ended");
    site.#removeLeftovers();
    return site;
  }

  /** An empty directory of ours is a leftover too: nothing recorded that it was made. */
  #removeLeftovers(): void {
    const { root } = this.tree;
    using ours = root.child("onevirt");
    for (const directory of [ours, this.tree.directory("vmm/kvm")]) if (directory) removeWaiting(directory);
    root.removeEmpty("onevirt");
  }

  [Symbol.dispose](): void {
    this.tree[Symbol.dispose]();
  }
}

function readIfThere(path: string): string {
  return orAbsent("read", path, () => readFileSync(path, "utf8")) ?? "";
}
