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
import { Transaction } from "./transaction.ts";
import { roleOf } from "./wanted.ts";

/** Takes onevirt out of a remotes tree: every file as it was, with mode, owner and time (install-and-sync 4.3). What OpenNebula upgraded since then stays. */
export function uninstall(places: Places, { dryRun = false } = {}): Outcome {
  using site = dryRun ? Site.open(places.tree) : Site.openForChange(places.tree);
  using backup = new Backup(places.backup, places.tree);
  const { manifest } = backup;
  if (!manifest) return nothingInstalled(site, places);
  const plan = manifest.files.map((entry) => plannedReturn(site, entry));
  if (dryRun) return outcomeOf(plan.map((each) => ({ path: each.entry.path, done: doneOf(each) })));
  backup.removeWaiting();
  const changes = carryOut(plan, site, backup);
  const left = removeDirectories(manifest, site);
  backup.clear(manifest.files.filter(({ original }) => original).map(({ path }) => path));
  return outcomeOf([...changes, ...left]);
}

function plannedReturn(site: Site, entry: Manifest["files"][number]): GoingBack {
  const observed = observe(site.tree, entry.path);
  return { entry, observed, decision: decideReturn(entry, roleOf(entry.path), observed) };
}

function carryOut(plan: readonly GoingBack[], site: Site, backup: Backup): readonly Change[] {
  const transaction = new Transaction();
  try {
    const changes = plan.map((each) => giveBack(each, site, backup, transaction));
    backup.removeManifest(transaction);
    transaction.commit();
    return changes;
  } catch (error) {
    transaction.rollback();
    throw error;
  }
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
