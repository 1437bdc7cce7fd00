import { ROOT_DIRECTORY } from "./place.ts";
import type { SudoersLine } from "./sudoers-lines.ts";

/** A line of sudoers that lets root run what oneadmin can write (actions.md 17.1 row 10), in a sentence for the administrator. */
export interface TreeGrant {
  readonly text: string;
  /** False for the helpers of virtual networks: onevirt has nothing in their place. */
  readonly mustGo: boolean;
}

/** Files of the synced tree. What stands behind a "!" is forbidden, not allowed. */
const TREE_PATH = /(?<!!\s*)\/var\/tmp\/one(?![\w.-])(?:\/[^\s,]*)?/g;
/** Transfer drivers call it by this path when they back up a running VM (actions.md 7.24). */
const TPM_HELPER = "/var/tmp/one/vtpm_setup";
const NETWORK_PLACE = "/var/tmp/one/vnm/";
const ALIAS = /^\s*Cmnd_Alias\s/;
const ALIAS_NAME = /(?<![\w/])([A-Z][A-Z0-9_]*)\s*=/g;
const SETTING = /^\s*Defaults\b/;

/** What is wrong with these lines, in their order. A name for commands that no other line uses allows nothing. */
export function treeGrants(lines: readonly SudoersLine[]): readonly TreeGrant[] {
  const commands = lines.filter(({ text }) => !SETTING.test(text));
  return commands.flatMap((line) => {
    const paths = [...new Set(line.text.match(TREE_PATH))];
    const users = usersOf(line, commands);
    if (paths.length === 0 || users?.length === 0) return [];
    return [...grant(line, users, paths.filter((path) => !path.startsWith(NETWORK_PLACE)), true), ...grant(line, users, paths.filter((path) => path.startsWith(NETWORK_PLACE)), false)];
  });
}

/** The lines that use the names which this one defines; undefined for a line that defines none. */
function usersOf(line: SudoersLine, commands: readonly SudoersLine[]): readonly SudoersLine[] | undefined {
  if (!ALIAS.test(line.text)) return undefined;
  const names = [...line.text.matchAll(ALIAS_NAME)].map(([, name = ""]) => name);
  const use = new RegExp(`(?<![\\w!/])(?:${names.join("|")})(?!\\w)`);
  return commands.filter((other) => other !== line && use.test(other.text));
}

function grant({ file, line }: SudoersLine, users: readonly SudoersLine[] = [], paths: readonly string[], mustGo: boolean): readonly TreeGrant[] {
  if (paths.length === 0) return [];
  const used = users.length === 0 ? "" : `, and its name from ${users.map((each) => `${each.file} line ${each.line}`).join(" and ")}`;
  const price = paths.includes(TPM_HELPER) ? "; OpenNebula's backups, which call it too, then keep no newer TPM state" : "";
  const advice = mustGo ? `it must go (visudo -f ${file})${used}; root's own are in ${ROOT_DIRECTORY}${price}` : "onevirt has nothing in its place; it can go where no virtual network needs it";
  return [{ text: `${file} line ${line} lets root run ${paths.join(" and ")}, which oneadmin can write: ${advice}`, mustGo }];
}
