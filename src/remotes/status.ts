import { auditTree, type Finding } from "./audit.ts";
import { Backup } from "./backup.ts";
import type { Wanted } from "./decision.ts";
import { messageOf } from "../core/errors.ts";
import type { Manifest, ManifestFile } from "./manifest.ts";
import { observe, type Observed } from "./observed.ts";
import { type Parts, partsOf } from "./parts.ts";
import type { Places } from "./places.ts";
import type { Program } from "./program.ts";
import { mayRead } from "./reader.ts";
import { Site } from "./site.ts";
import { executablePath } from "./tree.ts";
import { roleOf, wantedFiles } from "./wanted.ts";

/** What stands in the place of one of our files. */
export type FileState = "ours" | "missing" | "overwritten" | "changed" | "edited" | "another build" | "wrong owner or mode";

export interface FileStatus {
  readonly path: string;
  readonly role: Wanted["role"];
  readonly state: FileState;
}

/** What `onevirt remotes status` knows of a tree. */
export interface Status {
  readonly tree: string;
  readonly installed: boolean;
  /** What is taken over of it. */
  readonly parts: Parts;
  readonly backup: { readonly path: string; readonly state: "in use" | "absent" | "not readable"; readonly reason?: string };
  /** Build ids; undefined when nobody recorded which build stands in the tree. */
  readonly build: { readonly this: string; readonly tree: string | undefined };
  readonly installedAt: string | undefined;
  readonly files: readonly FileStatus[];
  readonly findings: readonly Finding[];
  /** Whether somebody should act. */
  readonly wrong: boolean;
}

/** States that need nobody. */
const GOOD: ReadonlySet<FileState> = new Set(["ours", "edited"]);

/** Looks at a tree and changes nothing (install-and-sync 14.7, 14.12: self-overwritten, self-mixed, tree-dangling, tree-unreadable). */
export function statusOf(places: Places, program: Program): Status {
  using site = Site.open(places.tree);
  using kept = openBackup(places);
  const manifest = "manifest" in kept ? kept.manifest : undefined;
  const parts = partsOf(manifest);
  const entries = new Map(manifest?.files.map((entry) => [entry.path, entry]));
  const seen = [...wantedFiles(program, parts, site.monitor), ...upstreamCopies(manifest)].map((wanted) => ({ wanted, observed: observe(site.tree, wanted.path) }));
  const files = seen.map(({ wanted, observed }): FileStatus => ({ path: wanted.path, role: wanted.role, state: stateOf(wanted, observed, site) }));
  const inTree = seen.find(({ wanted }) => wanted.role === "program")?.observed?.record.sha256;
  const findings = auditTree(site.tree.root, site.reader);
  const installed = manifest !== undefined || seen.some(({ wanted, observed }) => wanted.role === "launcher" && observed?.launcher === true);
  return {
    tree: places.tree, installed, parts, findings, files: installed ? files : [], installedAt: manifest?.installedAt,
    backup: "reason" in kept ? { path: places.backup, state: "not readable", reason: kept.reason } : { path: places.backup, state: manifest ? "in use" : "absent" },
    build: { this: program.build.buildId, tree: inTree === program.sha256 ? program.build.buildId : buildOf(entries.get(executablePath(program.arch)), inTree, manifest?.build.buildId) },
    wrong: findings.some(({ stops }) => stops) || (installed && files.some(({ state }) => !GOOD.has(state))),
  };
}

/** The scripts for /etc/onevirt/off, as install left them. */
function upstreamCopies(manifest: Manifest | undefined): readonly Pick<Wanted, "path" | "role" | "sha256" | "mode">[] {
  const copies = manifest?.files.filter(({ path }) => roleOf(path) === "upstream") ?? [];
  return copies.map(({ path, ours }) => ({ path, role: "upstream", sha256: ours.sha256, mode: ours.mode }));
}

function stateOf({ role, sha256, mode }: Pick<Wanted, "role" | "sha256" | "mode">, observed: Observed | undefined, { owner, reader }: Site): FileState {
  if (!observed) return "missing";
  const { record, launcher } = observed;
  if (record.sha256 !== sha256) return role === "program" ? "another build" : role === "settings" ? "edited" : launcher || role === "upstream" ? "changed" : "overwritten";
  const right = record.mode === mode && record.uid === owner.uid && mayRead(reader, { ...record, kind: "file" });
  return right ? "ours" : "wrong owner or mode";
}

function buildOf(entry: ManifestFile | undefined, inTree: string | undefined, recorded: string | undefined): string | undefined {
  return entry && entry.ours.sha256 === inTree ? recorded : undefined;
}

/** Compat: oneadmin may ask too, and cannot read the backup that root made. */
function openBackup({ backup, tree }: Places): Backup | ({ readonly reason: string } & Disposable) {
  try {
    return new Backup(backup, tree);
  } catch (error) {
    return { reason: messageOf(error), [Symbol.dispose]: () => {} };
  }
}
