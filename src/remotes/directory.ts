import { closeSync, constants, fstatSync, fsyncSync, linkSync, lstatSync, mkdirSync, openSync, readdirSync, readlinkSync, renameSync, rmdirSync, statSync, unlinkSync, type BigIntStats } from "node:fs";
import { join } from "node:path";
import { attempt, orAbsent, refusal, systemCode } from "./failure.ts";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** What a name in a directory stands for, its own and not that of a link's target. */
export interface FileFacts {
  readonly kind: "file" | "directory" | "link" | "other";
  readonly uid: number;
  readonly gid: number;
  /** Permissions with set-id and sticky bits. */
  readonly mode: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  /** How many names the file has. */
  readonly links: number;
}

/**
 * A directory held open, and the names in it. Root works here in directories that oneadmin may write to, so no link is ever
 * followed: whatever becomes of the path, what is done goes to this very directory (install-and-sync R15).
 */
export class Directory implements Disposable {
  private constructor(
    readonly path: string,
    readonly fd: number,
  ) {}

  /** Opens an absolute path, one name after the other. A symbolic link anywhere in it is refused. */
  static open(path: string): Directory {
    let directory = new Directory("/", openSync("/", O_RDONLY | O_DIRECTORY));
    for (const name of path.split("/").filter((part) => part !== "")) {
      using parent = directory;
      const next = parent.child(name);
      if (!next) throw refusal(`open "${path}"`, `there is no "${join(parent.path, name)}"`);
      directory = next;
    }
    return directory;
  }

  /** A directory in this one; undefined when the name is absent. */
  child(name: string): Directory | undefined {
    const fd = orAbsent("open the directory", join(this.path, name), () => openSync(this.#at(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    return fd === undefined ? undefined : new Directory(join(this.path, name), fd);
  }

  /** What a name stands for; undefined when it is absent. */
  find(name: string): FileFacts | undefined {
    return orAbsent("look at", join(this.path, name), () => factsOf(lstatSync(this.#at(name), { bigint: true })));
  }

  /** What the directory itself is. */
  facts(): FileFacts {
    return factsOfOpen(this.fd);
  }

  /** What a link finally points at; undefined when it points nowhere. */
  target(name: string): FileFacts | undefined {
    try {
      return factsOf(statSync(this.#at(name), { bigint: true }));
    } catch (error) {
      if (["ENOENT", "ENOTDIR", "ELOOP"].includes(systemCode(error))) return undefined;
      throw error;
    }
  }

  linkText(name: string): string {
    return attempt("read the link", join(this.path, name), () => readlinkSync(this.#at(name)));
  }

  names(): readonly string[] {
    return attempt("list", this.path, () => readdirSync(`/proc/self/fd/${this.fd}`).sort());
  }

  /** Opens a regular file for reading. The caller closes it. */
  openFile(name: string): number {
    return attempt("read", join(this.path, name), () => {
      const fd = openSync(this.#at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      if (fstatSync(fd).isFile()) return fd;
      closeSync(fd);
      throw refusal(`read "${join(this.path, name)}"`, "it is no regular file");
    });
  }

  /** Makes a new, empty file that only the owner can use yet. The caller closes it. */
  create(name: string): number {
    return attempt("write", join(this.path, name), () => openSync(this.#at(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
  }

  make(name: string): Directory {
    attempt("make the directory", join(this.path, name), () => mkdirSync(this.#at(name), 0o700));
    const made = this.child(name);
    if (!made) throw refusal(`make the directory "${join(this.path, name)}"`, "it vanished at once");
    return made;
  }

  /** Gives a file a second name, here or in another directory. */
  link(from: string, to: string, target: Directory = this): void {
    attempt("set aside", join(this.path, from), () => linkSync(this.#at(from), target.#at(to)));
  }

  /** Moves a name, here or into another directory; what stands there is replaced. */
  rename(from: string, to: string, target: Directory = this): void {
    attempt("write", join(target.path, to), () => renameSync(this.#at(from), target.#at(to)));
  }

  remove(name: string): void {
    orAbsent("remove", join(this.path, name), () => unlinkSync(this.#at(name)));
  }

  /** Removes a directory when it is empty; says whether it is gone. */
  removeEmpty(name: string): boolean {
    try {
      rmdirSync(this.#at(name));
      return true;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return true;
      if (["ENOTEMPTY", "EEXIST"].includes(systemCode(error))) return false;
      return attempt("remove", join(this.path, name), () => { throw error; });
    }
  }

  flush(): void {
    attempt("write", this.path, () => fsyncSync(this.fd));
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }

  /** The kernel resolves this to the open directory, not to its name: openat(2) by other means. */
  #at(name: string): string {
    if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) throw refusal(`use the name ${JSON.stringify(name)}`, "it is no plain file name");
    return `/proc/self/fd/${this.fd}/${name}`;
  }
}

/** What an open file is, whatever its name stands for by now. */
export function factsOfOpen(fd: number): FileFacts {
  return factsOf(fstatSync(fd, { bigint: true }));
}

function factsOf(stat: BigIntStats): FileFacts {
  const kind = stat.isFile() ? "file" : stat.isDirectory() ? "directory" : stat.isSymbolicLink() ? "link" : "other";
  return { kind, uid: Number(stat.uid), gid: Number(stat.gid), mode: Number(stat.mode & 0o7777n), size: Number(stat.size), mtimeNs: stat.mtimeNs, links: Number(stat.nlink) };
}
