import { basename, dirname } from "node:path";
import { OnevirtError } from "../core/errors.ts";
import { Backup } from "./backup.ts";
import { closing } from "./bytes.ts";
import { decide, decideReturn, type Decision, type Wanted } from "./decision.ts";
import { refusal } from "./failure.ts";
import { giveBack, type GoingBack } from "./giving-back.ts";
import type { Manifest, ManifestFile } from "./manifest.ts";
import { type Monitor, monitoringFiles } from "./monitoring.ts";
import { observe, type Observed } from "./observed.ts";
import { outcomeOf, type Change, type Outcome } from "./outcome.ts";
import { type Parts, partsOf } from "./parts.ts";
import type { Places } from "./places.ts";
import type { Program } from "./program.ts";
import { mayRead } from "./reader.ts";
import { Site } from "./site.ts";
import { changeAll, preferringRoom, TURN, type Transaction } from "./transaction.ts";
import { DIRECTORY_MODE } from "./tree.ts";
import { roleOf, wantedFiles, wantedUpstream } from "./wanted.ts";

/** One wanted file, what stands there, and what to do about it. */
interface Step {
  readonly wanted: Wanted;
  readonly observed: Observed | undefined;
  readonly entry: ManifestFile | undefined;
  readonly decision: Decision;
}

interface Plan {
  readonly steps: readonly Step[];
  /** Files of an earlier version that this one does not have. */
  readonly obsolete: readonly GoingBack[];
}

export interface InstallOptions {
  readonly dryRun?: boolean;
  /** What to take over, and what to give back; undefined leaves a part as it is. */
  readonly actions?: boolean | undefined;
  readonly monitoring?: boolean | undefined;
  /** Whose tree it is thought to be; undefined believes its VERSION. */
  readonly monitor?: Monitor | undefined;
}

/**
 * Puts onevirt into a remotes tree, all of it or nothing, and keeps what it replaces (install-and-sync 4.3, 6.7, R7). A second run
 * changes nothing; after an upgrade of OpenNebula it takes the new originals and puts the launchers back.
 */
export function install(places: Places, program: Program, { dryRun = false, monitor, ...asked }: InstallOptions = {}): Outcome {
  return preferringRoom((hasRoom) => {
    using site = dryRun ? Site.open(places.tree) : Site.openForChange(places.tree);
    requireGeneration(site, monitor);
    using backup = new Backup(places.backup, places.tree);
    if (!dryRun) backup.removeWaiting();
    const plan = makePlan(site, backup, program, choose(asked, partsOf(backup.manifest)));
    if (dryRun || !isNeeded(plan)) return outcomeOf(changesOf(plan, []));
    return outcomeOf(changesOf(plan, carryOut(plan, { site, backup, program, hasRoom })));
  });
}

function choose({ actions, monitoring }: Pick<InstallOptions, keyof Parts>, now: Parts): Parts {
  const parts = { actions: actions ?? now.actions, monitoring: monitoring ?? now.monitoring };
  if (!parts.actions && !parts.monitoring) throw new OnevirtError("BAD_ARGUMENT", "Cannot install neither actions nor monitoring", { hint: "onevirt remotes uninstall takes all back" });
  return parts;
}

/** A tree of 5.x and one of later versions have other directories of probes. */
function requireGeneration({ monitor, version, tree }: Site, wanted: Monitor | undefined): void {
  if (wanted === undefined || wanted === monitor) return;
  const name = wanted === "collectd" ? "5.x" : "5.12 and later";
  throw refusal(`install the files for OpenNebula ${name} into "${tree.root.path}"`, `its VERSION says ${version}`, "without --generation the tree decides");
}

/** What a plan is carried out on, and with. */
interface Means {
  readonly site: Site;
  readonly backup: Backup;
  readonly program: Program;
  readonly hasRoom: boolean;
}

function carryOut(plan: Plan, { site, backup, program, hasRoom }: Means): readonly Change[] {
  return changeAll((transaction) => {
    if (hasRoom) transaction.waitingRoom = backup.room(transaction);
    return stage(plan, site, backup, program, transaction);
  });
}

function makePlan(site: Site, backup: Backup, program: Program, parts: Parts): Plan {
  const entries = new Map(backup.manifest?.files.map((entry) => [entry.path, entry]));
  const step = (wanted: Wanted): Step => {
    const observed = observe(site.tree, wanted.path);
    const entry = entries.get(wanted.path);
    return { wanted, observed, entry, decision: decide(wanted, observed, entry, site.owner) };
  };
  const files = wantedFiles(program, parts, site.monitor).map(step);
  for (const each of files) if (each.decision.takeOriginal) refuseUnreadable(site, each.wanted.path);
  const upstream = files.filter(({ wanted }) => wanted.role === "launcher").flatMap((each) => upstreamOf(each, site, backup).map(step));
  const steps = [...files, ...upstream];
  const paths = new Set(steps.map(({ wanted }) => wanted.path));
  const gone = goneGeneration(site);
  const obsolete = [...entries.values()].filter(({ path }) => !paths.has(path) && !isOtherMachine(path) && !gone(path));
  return { steps, obsolete: obsolete.map((entry) => goingBack(site, entry)) };
}

/** Launchers that went with OpenNebula's own files when it was upgraded over the change of monitoring: what they replaced is not to come back. */
function goneGeneration({ tree, monitor }: Site): (path: string) => boolean {
  const others = new Set(monitoringFiles(monitor === "collectd" ? "monitord" : "collectd").map(({ path }) => path));
  return (path) => others.has(path) && tree.find(path) === undefined;
}

function upstreamOf({ wanted: { path }, decision: { original, takeOriginal } }: Step, site: Site, backup: Backup): readonly Wanted[] {
  return original ? [wantedUpstream(path, original, () => (takeOriginal ? site.tree.openFile(path) : backup.openOriginal(path, original)))] : [];
}

function goingBack(site: Site, entry: ManifestFile): GoingBack {
  const observed = observe(site.tree, entry.path);
  return { entry, observed, decision: decideReturn(entry, roleOf(entry.path), observed) };
}

/** An executable for other hosts, installed from a front-end of their kind, stays. */
function isOtherMachine(path: string): boolean {
  return roleOf(path) === "program";
}

/** Its copy for /etc/onevirt/off belongs to oneadmin, which must not learn more by it than it could read before. */
function refuseUnreadable({ tree, owner, reader }: Site, path: string): void {
  const facts = tree.find(path);
  if (facts && !mayRead(reader, facts)) throw refusal(`replace "${tree.pathOf(path)}"`, `the owner of the tree, uid ${owner.uid}, cannot read it`, `chown it to ${owner.uid}:${owner.gid}, as the rest of the tree`);
}

function isNeeded({ steps, obsolete }: Plan): boolean {
  return obsolete.length > 0 || steps.some(({ entry, decision }) => decision.action === "place" || (decision.action === "keep" && !entry));
}

/** Writes everything under waiting names: what is kept first, then the tree, then the manifest that describes both. */
function stage(plan: Plan, site: Site, backup: Backup, program: Program, transaction: Transaction): readonly Change[] {
  const directories = new Set(backup.manifest?.directories);
  const kept = plan.steps.flatMap((step) => stageBackup(step, site, backup, transaction));
  const files = plan.steps.flatMap((step) => stageFile(step, site, transaction, directories));
  const returned = plan.obsolete.map((each) => giveBack(each, site, backup, transaction));
  const others = backup.manifest?.files.filter(({ path }) => isOtherMachine(path) && !files.some((file) => file.path === path)) ?? [];
  const manifest: Manifest = {
    version: 1, tree: site.tree.root.path, installedAt: new Date().toISOString(), build: { version: program.build.version, buildId: program.build.buildId },
    directories: [...directories].sort(), files: [...files, ...others].sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
  backup.writeManifest(manifest, transaction);
  return [...kept, ...returned];
}

function stageBackup({ wanted: { path }, observed, decision }: Step, site: Site, backup: Backup, transaction: Transaction): readonly Change[] {
  if (!observed || !(decision.takeOriginal || decision.aside)) return [];
  return closing(site.tree.openFile(path), (file) => {
    if (decision.takeOriginal) return backup.keepOriginal(path, observed.record, file, transaction), [];
    return [{ path, done: "renewed" as const, kept: backup.keepChanged(path, observed.record, file, transaction) }];
  });
}

function stageFile({ wanted, observed, entry, decision }: Step, site: Site, transaction: Transaction, directories: Set<string>): readonly ManifestFile[] {
  if (decision.action === "leave") return entry ? [entry] : [];
  const { path, mode, sha256, write } = wanted;
  if (decision.action === "keep" && observed) return [{ path, ours: observed.record, original: decision.original }];
  const directory = site.tree.ensure(dirname(path), (parent, inner) => {
    directories.add(inner);
    return transaction.makeDirectory(parent, inner, DIRECTORY_MODE, site.owner);
  });
  const { uid, gid, mtimeNs } = transaction.place({ directory, name: basename(path), mode, owner: site.owner, turn: TURN.tree, write });
  return [{ path, ours: { sha256, mode, uid, gid, mtimeNs }, original: decision.original }];
}

function changesOf({ steps, obsolete }: Plan, done: readonly Change[]): readonly Change[] {
  const changes = steps.flatMap((step): readonly Change[] => changeOf(step));
  const told = new Map(done.map((change) => [change.path, change]));
  const returned = obsolete.map(({ entry: { path }, decision: { action } }): Change => ({ path, done: action === "restore" ? "restored" : "removed" }));
  return [...changes, ...returned].map((change) => told.get(change.path) ?? change);
}

function changeOf({ wanted: { path }, observed, decision }: Step): readonly Change[] {
  if (decision.action === "leave") return [{ path, done: "left: you edited it" }];
  if (decision.action === "keep") return [];
  return [{ path, done: decision.takeOriginal ? "replaced" : observed ? "renewed" : "added" }];
}
