import { OnevirtError } from "../core/errors.ts";

/** What one file is: enough to know it again, and to put it back exactly. */
export interface FileRecord {
  readonly sha256: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
}

/** One file that install placed, and the file that stood there before. */
export interface ManifestFile {
  readonly path: string;
  readonly ours: FileRecord;
  readonly original?: FileRecord | undefined;
}

/** What install did to a tree, kept outside of it. */
export interface Manifest {
  readonly version: 1;
  readonly tree: string;
  readonly installedAt: string;
  readonly build: { readonly version: string; readonly buildId: string };
  /** Directories that install made. */
  readonly directories: readonly string[];
  readonly files: readonly ManifestFile[];
}

/** The manifest as JSON; times in nanoseconds are text, because JSON numbers are not exact. */
export function writeManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value), 2)}\n`;
}

/** Reads a manifest. BAD_INPUT when it is none: root restores owners and modes from it, so every value is checked. */
export function readManifest(text: string, place: string): Manifest {
  const check = (right: boolean, what: string): void => {
    if (!right) throw new OnevirtError("BAD_INPUT", `Cannot read "${place}": ${what}`, { hint: "nothing was changed; compare it with a copy of it, or reinstall OpenNebula's package" });
  };
  const data = parse(text) as Manifest | undefined;
  check(data?.version === 1, "it is no manifest of version 1");
  const { tree, installedAt, build, directories, files } = data as Manifest;
  check([tree, installedAt, build?.version, build?.buildId].every(isText), "tree, date or build is missing");
  check(Array.isArray(directories) && directories.every(isPath), "a directory is not a path in the tree");
  check(Array.isArray(files) && files.every((file) => isPath(file?.path)), "a file is not a path in the tree");
  check(files.every(({ ours, original }) => isRecord(ours) && (original === undefined || isRecord(original))), "a record of a file is not complete");
  return { version: 1, tree, installedAt, build, directories, files: files.map(({ path, ours, original }) => ({ path, ours: exact(ours), original: original && exact(original) })) };
}

/** Whether a path is plain, relative and stays where it starts. */
export function isPath(path: unknown): boolean {
  return isText(path) && !/[\0\n]/.test(path) && path.split("/").every((name) => name !== "" && name !== "." && name !== "..");
}

function isRecord(record: FileRecord | undefined): boolean {
  const numbers = [record?.mode, record?.uid, record?.gid].every((value) => Number.isSafeInteger(value) && (value as number) >= 0);
  return numbers && /^[0-9a-f]{64}$/.test(record?.sha256 ?? "") && /^\d{1,20}$/.test(String(record?.mtimeNs)) && (record?.mode ?? 0) <= 0o7777;
}

function exact(record: FileRecord): FileRecord {
  return { sha256: record.sha256, mode: record.mode, uid: record.uid, gid: record.gid, mtimeNs: BigInt(record.mtimeNs) };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
