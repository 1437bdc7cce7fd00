import { basename, dirname } from "node:path";
import { actions } from "../actions/table.ts";
import { Backup } from "./backup.ts";
import { decideReturn } from "./decision.ts";
import { refusal } from "./failure.ts";
import { doneOf, giveBack, type GoingBack } from "./giving-back.ts";
import type { Manifest } from "./manifest.ts";
import { observe } from "./observed.ts";
import { outcomeOf, type Change, type Outcome } from "./outcome.ts";
import type { Places } from "./places.ts";
import { Site } from "./site.ts";
import { changeAll, preferringRoom } from "./transaction.ts";
import { roleOf } from "./wanted.ts";

/** Takes onevirt out of a remotes tree: every file as it was, with mode, owner and time (install-and-sync 4.3). What OpenNebula upgraded since then stays. */
export function uninstall(places: Places, { dryRun = false } = {}): Outcome {
  return preferringRoom((hasRoom) => {
    using site = dryRun ? Site.open(places.tree) : Site.openForChange(places.tree);
    using backup = new Backup(places.backup, places.tree);
    if (!dryRun) backup.removeWaiting();
    if (!backup.manifest) return nothingInstalled(site, places);
    const plan = backup.manifest.files.map((entry) => plannedReturn(site, entry));
    if (dryRun) return outcomeOf(plan.map((each) => ({ path: each.entry.path, done: doneOf(each) })));
    return outcomeOf([...carryOut(plan, site, backup, hasRoom), ...cleanUp(backup.manifest, site, backup)]);
  });
}

function plannedReturn(site: Site, entry: Manifest["files"][number]): GoingBack {
  const observed = observe(site.tree, entry.path);
  return { entry, observed, decision: decideReturn(entry, roleOf(entry.path), observed) };
}

function carryOut(plan: readonly GoingBack[], site: Site, backup: Backup, hasRoom: boolean): readonly Change[] {
  return changeAll((transaction) => {
    if (hasRoom) transaction.waitingRoom = backup.room(transaction);
    const changes = plan.map((each) => giveBack(each, site, backup, transaction));
    backup.removeManifest(transaction);
    return changes;
  });
}

/** Once the tree is as it was: what was kept for that goes, and directories that install made. */
function cleanUp(manifest: Manifest, site: Site, backup: Backup): readonly Change[] {
  const left = removeDirectories(manifest, site);
  backup.clear(manifest.files.filter(({ original }) => original).map(({ path }) => path));
  return left;
}

/** Removes the directories that install made, the innermost first. One that holds files of others stays. */
function removeDirectories({ directories }: Manifest, { tree }: Site): readonly Change[] {
  const left = directories.toSorted().reverse().filter((path) => tree.directory(dirname(path))?.removeEmpty(basename(path)) === false);
  return left.map((path) => ({ path, done: "left: it is not empty" }));
}

function nothingInstalled(site: Site, { tree, backup }: Places): Outcome {
  const ours = Object.values(actions).find(({ script }) => observe(site.tree, script)?.launcher);
  if (ours) throw refusal(`take onevirt out of "${tree}"`, `${ours.script} is a launcher, but "${backup}" does not hold what it replaced`, "give the --backup of the installation, or reinstall OpenNebula's package");
  return outcomeOf([]);
}
