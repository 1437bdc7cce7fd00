import { basename, dirname } from "node:path";
import type { Backup } from "./backup.ts";
import { closing, copyBytes } from "./bytes.ts";
import type { Return } from "./decision.ts";
import type { ManifestFile } from "./manifest.ts";
import type { Observed } from "./observed.ts";
import type { Change, Done } from "./outcome.ts";
import type { Site } from "./site.ts";
import { TURN, type Transaction } from "./transaction.ts";

/** A file that install placed, what stands there now, and what is to be done about it. */
export interface GoingBack {
  readonly entry: ManifestFile;
  readonly observed: Observed | undefined;
  readonly decision: Return;
}

/** Stages the way back of one file: the original with its mode, owner and time, or nothing. What somebody changed is kept. */
export function giveBack(each: GoingBack, site: Site, backup: Backup, transaction: Transaction): Change {
  const { path, original } = each.entry;
  const kept = keepChanged(each, site, backup, transaction);
  const directory = site.tree.directory(dirname(path));
  if (each.decision.action === "remove" && directory) transaction.remove(directory, basename(path), TURN.tree);
  if (each.decision.action === "restore" && original) {
    const { mode, uid, gid, mtimeNs } = original;
    const place = directory ?? site.tree.ensure(dirname(path), (parent, inner) => transaction.makeDirectory(parent, inner, 0o750, site.owner));
    closing(backup.openOriginal(path, original), (file) => transaction.place({ directory: place, name: basename(path), mode, owner: { uid, gid }, mtimeNs, turn: TURN.tree, write: (fd) => copyBytes(file, fd) }));
  }
  return { path, done: doneOf(each), kept };
}

/** What the way back of one file is called. */
export function doneOf({ decision: { action }, observed, entry: { original } }: GoingBack): Done {
  if (action === "restore") return "restored";
  if (action === "remove" || !observed || observed.record.sha256 === original?.sha256) return original ? "restored" : "removed";
  return "left: OpenNebula upgraded it";
}

function keepChanged({ entry: { path }, observed, decision: { aside } }: GoingBack, site: Site, backup: Backup, transaction: Transaction): string | undefined {
  return aside && observed ? closing(site.tree.openFile(path), (file) => backup.keepChanged(path, observed.record, file, transaction)) : undefined;
}
