import { refusal } from "./failure.ts";
import type { FileRecord, ManifestFile } from "./manifest.ts";
import type { Observed } from "./observed.ts";
import type { Owner } from "./transaction.ts";

/** What kind of file of ours it is; each is treated differently when somebody changed it. */
export type Role = "launcher" | "settings" | "program" | "upstream";

/** A file that shall be in the tree. */
export interface Wanted {
  readonly path: string;
  readonly role: Role;
  readonly mode: number;
  readonly sha256: string;
  readonly write: (fd: number) => void;
}

/** What install does about one wanted file. */
export interface Decision {
  readonly action: "keep" | "place" | "leave";
  /** The file that stood there before us, when there was one. */
  readonly original?: FileRecord | undefined;
  /** What stands there now is that original, and must be kept before it is replaced. */
  readonly takeOriginal: boolean;
  /** What stands there now is ours, but somebody changed it: keep a copy. */
  readonly aside: boolean;
}

/** What install does, from what shall be, what is, and what the manifest says (install-and-sync R7). */
export function decide(wanted: Wanted, observed: Observed | undefined, entry: ManifestFile | undefined, owner: Owner): Decision {
  const original = entry?.original;
  const decision = (action: Decision["action"], aside = false): Decision => ({ action, original, takeOriginal: false, aside });
  if (!observed) return decision("place");
  const { sha256 } = observed.record;
  if (wanted.role === "settings" && sha256 !== wanted.sha256 && sha256 !== entry?.ours.sha256) return decision("leave");
  if (observed.launcher && !entry) throw unknownLauncher(wanted.path);
  if (sha256 === wanted.sha256) return decision(isRight(observed.record, wanted.mode, owner) ? "keep" : "place");
  if (entry && (sha256 === entry.ours.sha256 || wanted.role === "program")) return decision("place");
  if (entry && (observed.launcher || wanted.role === "upstream")) return decision("place", true);
  return { action: "place", original: observed.record, takeOriginal: true, aside: false }; // upstream's file: never seen, or back after an upgrade
}

/** What uninstall does about one file that install placed. */
export interface Return {
  readonly action: "restore" | "remove" | "leave";
  readonly aside: boolean;
}

/** What uninstall does, from what is and what the manifest says. A file that upstream upgraded over ours is left alone. */
export function decideReturn({ ours, original }: ManifestFile, role: Role, observed: Observed | undefined): Return {
  const back = original ? "restore" : "remove";
  if (!observed) return { action: original ? "restore" : "leave", aside: false };
  const { sha256 } = observed.record;
  if (sha256 === ours.sha256 || role === "program") return { action: back, aside: false };
  if (sha256 === original?.sha256) return { action: "leave", aside: false };
  if (observed.launcher || role === "settings" || role === "upstream") return { action: back, aside: true };
  return { action: "leave", aside: false };
}

function isRight(record: FileRecord, mode: number, { uid, gid }: Owner): boolean {
  return record.mode === mode && record.uid === uid && record.gid === gid;
}

function unknownLauncher(path: string): Error {
  return refusal(`replace "${path}"`, "it is onevirt's launcher already, but no manifest says which file it replaced", "give the --backup of the installation, or reinstall OpenNebula's package first");
}
