import { dirname, join, resolve } from "node:path";
import { OnevirtError } from "../core/errors.ts";

/** The tree to work on, and the directory outside of it for what install replaces. */
export interface Places {
  readonly tree: string;
  readonly backup: string;
}

/** Where a front-end keeps its tree (install-and-sync 1), and beside it the backup, unless the operator says otherwise. */
export function findPlaces(options: { readonly tree?: string | undefined; readonly backup?: string | undefined }, environment: Readonly<Record<string, string | undefined>>): Places {
  const tree = resolve(named(options.tree, "--tree") ?? defaultTree(environment.ONE_LOCATION));
  const backup = resolve(named(options.backup, "--backup") ?? join(dirname(tree), "onevirt-backup"));
  if (isBelow(backup, tree)) throw new OnevirtError("BAD_ARGUMENT", `Cannot keep a backup in "${backup}": what is in the tree travels to every host`, { hint: `choose a directory outside of ${tree}` });
  if (isBelow(tree, backup)) throw new OnevirtError("BAD_ARGUMENT", `Cannot keep a backup in "${backup}": the tree is inside of it`, { hint: "choose a directory of its own" });
  return { tree, backup };
}

/** An option without its directory, as an unset variable of a script leaves it, must not become the default tree. */
function named(directory: string | undefined, option: string): string | undefined {
  if (directory === undefined || (directory !== "" && !directory.startsWith("-"))) return directory;
  throw new OnevirtError("BAD_ARGUMENT", `Cannot use ${option}: it is followed by no directory`);
}

/** Compat: the sync library of OpenNebula removes single quotes from ONE_LOCATION too. */
function defaultTree(location = ""): string {
  const root = location.replaceAll("'", "");
  return root === "" ? "/var/lib/one/remotes" : join(root, "var/remotes");
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}
