import { dirname, join, normalize } from "node:path";
import type { Mount } from "../codec/kernel-text.ts";

/** File systems that live on this machine's own disks and memory: they answer, or the machine is ill. */
const LOCAL = /^(ext[234]|xfs|btrfs|zfs|f2fs|jfs|reiserfs|bcachefs|tmpfs|ramfs|overlay|vfat|exfat|iso9660|squashfs|erofs|devtmpfs|proc|sysfs)$/;

const MOST_LINKS = 40;

/**
 * Whether asking about a path may wait for another machine or another process. The path is followed part by part, and the first
 * part that stands on such a file system ends the walk, so that this question itself cannot hang.
 */
export function mayHang(path: string, mounts: readonly Mount[], readLink: (path: string) => string | undefined): boolean {
  const types = new Map(mounts.map(({ target, type }) => [target, type])); // what is mounted last hides what was there before
  const isForeign = (place: string) => types.has(place) && !LOCAL.test(types.get(place) ?? "");
  let open = normalize(path).split("/").filter(Boolean);
  let place = "/";
  for (let links = 0; open.length > 0; ) {
    if (isForeign(place)) return true;
    const next = join(place, open[0] ?? "");
    open = open.slice(1);
    const target = isForeign(next) ? undefined : readLink(next);
    if (target === undefined) {
      place = next;
      continue;
    }
    if (++links > MOST_LINKS) return true;
    open = [...normalize(join(target.startsWith("/") ? "/" : dirname(next), target)).split("/").filter(Boolean), ...open];
    place = "/";
  }
  return isForeign(place);
}
