import { normalize } from "node:path";
import { findFirst, textOf, type XmlElement } from "../codec/xml.ts";
import type { DiskFact } from "./disks.ts";
import type { Finding } from "./preflight.ts";

/** What becomes of one disk when the VM's directory changes. */
export type DiskMove =
  /** It is no file of the VM's directory: network storage, an empty drive, an image of its own. */
  | { readonly move: "stays" }
  /** A file that nobody writes: copied, then put into the drive. */
  | { readonly move: "medium"; readonly from: string; readonly to: string }
  /** An image that the guest writes: copied by QEMU, then used instead. */
  | { readonly move: "copy"; readonly from: string; readonly to: string; readonly format: string }
  | { readonly move: "refused"; readonly because: string };

export interface MovingDisk {
  readonly target: string;
  readonly plan: DiskMove;
}

/** What becomes of the firmware's variables: no disk, so QEMU goes on writing the old file until the VM is started again. */
export type NvramMove = { readonly move: "copy"; readonly from: string; readonly to: string } | { readonly move: "refused"; readonly because: string };

/** What a change of datastore finds, before anything is done. */
export interface DatastoreMoves {
  readonly disks: readonly MovingDisk[];
  /** undefined when the VM has no variables in its directory. */
  readonly nvram: NvramMove | undefined;
  readonly snapshots: readonly string[];
}

/** Every reason to refuse a change of datastore, and what else should be known. */
export function datastoreFindings({ disks, nvram, snapshots }: DatastoreMoves): readonly Finding[] {
  const refused = [...disks.flatMap(({ target, plan }) => (plan.move === "refused" ? [`disk ${target}: ${plan.because}`] : [])), ...(nvram?.move === "refused" ? [nvram.because] : [])];
  if (snapshots.length > 0 && disks.some(({ plan }) => plan.move === "copy"))
    refused.push(`it has system snapshots (${snapshots.join(", ")}) inside images that would be copied, and the copies would be without them: delete them, or migrate with the VM off`);
  const told = nvram?.move === "copy" ? [`its UEFI variables are copied as they are now; QEMU goes on with ${nvram.from} until the VM is started again, and what the guest changes in them until then is not in the copy`] : [];
  return [...refused.map((text) => ({ kind: "refusal" as const, text })), ...told.map((text) => ({ kind: "warning" as const, text }))];
}

/** What becomes of each disk; those that stand in the new directory already stay, so that a move that was broken off goes on. */
export function planMoves(disks: readonly DiskFact[], from: string, to: string): readonly MovingDisk[] {
  return disks.map((disk) => ({ target: disk.target, plan: planMove(disk, plain(from), plain(to)) }));
}

function planMove({ path, type, readOnly, format }: DiskFact, from: string, to: string): DiskMove {
  if (path === undefined) return { move: "stays" };
  if (type === "block") return { move: "refused", because: `it is the block device ${path}: only files change their datastore while the VM runs` };
  const moved = movedPath(path, from, to);
  if (moved === undefined) return { move: "stays" };
  const both = { from: normalize(path), to: moved };
  return readOnly && format === "raw" ? { move: "medium", ...both } : { move: "copy", ...both, format };
}

/** What becomes of the firmware's variables that a live document names. */
export function planNvram(root: XmlElement, from: string, to: string): NvramMove | undefined {
  const nvram = findFirst(root, "os", "nvram");
  const path = textOf(nvram)?.trim() || findFirst(nvram, "source")?.attributes.file;
  const moved = path === undefined ? undefined : movedPath(path, from, to);
  if (path === undefined || moved === undefined) return undefined;
  const format = nvram?.attributes.format ?? "raw";
  if (format !== "raw") return { move: "refused", because: `its UEFI variables ${path} are a ${format} image, which only QEMU could copy while the VM runs, and QEMU copies disks only: migrate with the VM off` };
  return { move: "copy", from: normalize(path), to: moved };
}

/** A path of one directory as the same path of another; undefined when it does not lie there. */
export function movedPath(path: string, from: string, to: string): string | undefined {
  const [inside, base] = [normalize(path), plain(from)];
  return inside.startsWith(`${base}/`) ? `${plain(to)}${inside.slice(base.length)}` : undefined;
}

function plain(path: string): string {
  return normalize(path).replace(/\/+$/, "");
}
