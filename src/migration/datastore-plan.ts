import { normalize } from "node:path";
import type { DiskFact } from "./disks.ts";

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

/** A path of one directory as the same path of another; undefined when it does not lie there. */
export function movedPath(path: string, from: string, to: string): string | undefined {
  const [inside, base] = [normalize(path), plain(from)];
  return inside.startsWith(`${base}/`) ? `${plain(to)}${inside.slice(base.length)}` : undefined;
}

function plain(path: string): string {
  return normalize(path).replace(/\/+$/, "");
}
