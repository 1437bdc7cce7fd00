import { basename, dirname, isAbsolute, join, normalize } from "node:path";
import { childrenOf, findFirst, type XmlElement } from "../codec/xml.ts";
import type { Files } from "../core/ports.ts";

/** One disk of the running domain, as its document has it. */
export interface DiskFact {
  readonly target: string;
  /** file, block, network … */
  readonly type: string;
  readonly device: string;
  /** Image format; raw when the document does not say. */
  readonly format: string;
  readonly cache: string;
  readonly readOnly: boolean;
  /** Shared between VMs on purpose. */
  readonly shareable: boolean;
  /** File or block device; undefined for an empty drive and for network disks. */
  readonly path: string | undefined;
  readonly hasBackingFile: boolean;
}

/** What a disk needs before and during the migration. */
export type DiskNeed =
  /** The destination has it: network storage, an empty drive, a link to storage of the network, or the datastore is shared. */
  | { readonly need: "nothing"; readonly because: string }
  /** A file that nobody writes: sent beforehand. */
  | { readonly need: "send" }
  /** QEMU copies it while the guest runs, into an image that is made before, or that is sent before with everything it stands on. */
  | { readonly need: "copy"; readonly make: "image" | "sent" };

export interface PlannedDisk {
  readonly disk: DiskFact;
  readonly plan: DiskNeed;
}

const SNAPSHOT_DIRECTORY = /\/disk\.\d+\.snap\//;

/** The disks of a live document. */
export function readDisks(root: XmlElement): readonly DiskFact[] {
  return childrenOf(findFirst(root, "devices"), "disk").map((disk) => {
    const source = findFirst(disk, "source")?.attributes ?? {};
    const driver = findFirst(disk, "driver")?.attributes ?? {};
    const type = disk.attributes.type ?? "file";
    const backing = findFirst(disk, "backingStore");
    return {
      type, target: findFirst(disk, "target")?.attributes.dev ?? "", device: disk.attributes.device ?? "disk", format: driver.type ?? "raw", cache: driver.cache ?? "default",
      readOnly: findFirst(disk, "readonly") !== undefined, shareable: findFirst(disk, "shareable") !== undefined,
      path: type === "file" ? source.file : type === "block" ? source.dev : undefined,
      hasBackingFile: backing !== undefined && findFirst(backing, "source") !== undefined,
    };
  });
}

/** What each disk needs (actions.md 7.12, preparation). Network disks and empty drives never stand in the way (defect 7). */
export function planDisks(disks: readonly DiskFact[], shared: boolean, files: Files): readonly PlannedDisk[] {
  return disks.map((disk) => ({ disk, plan: shared ? { need: "nothing", because: "the datastore is shared" } : planDisk(disk, files) }));
}

function planDisk(disk: DiskFact, files: Files): DiskNeed {
  if (disk.path === undefined) return { need: "nothing", because: disk.type === "file" ? "the drive is empty" : `it is a ${disk.type} disk` };
  if (disk.type === "block") return { need: "nothing", because: "it is a block device, which the storage shows to both hosts" };
  if (files.kind(disk.path) === "symlink") return planLink(disk.path, files);
  if (disk.readOnly && disk.format === "raw") return { need: "send" };
  return { need: "copy", make: SNAPSHOT_DIRECTORY.test(disk.path) || disk.hasBackingFile ? "sent" : "image" };
}

function planLink(path: string, files: Files): DiskNeed {
  const link = files.readLink(path) ?? "";
  const target = isAbsolute(link) ? link : join(dirname(path), link);
  return SNAPSHOT_DIRECTORY.test(target) ? { need: "copy", make: "sent" } : { need: "nothing", because: `it is a link to ${link}, storage that both hosts see` };
}

/** The file or directory that is sent for a disk that stands on other files: the whole `disk.N.snap`, or the image alone. */
export function sentFor(path: string): string {
  const directory = dirname(normalize(path));
  return /^disk\.\d+\.snap$/.test(basename(directory)) ? directory : normalize(path);
}
