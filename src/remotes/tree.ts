import { actions } from "../actions/table.ts";
import launcher from "./launcher.sh" with { type: "text" };
import settings from "../../remotes/onevirt/onevirt.conf" with { type: "text" };

/** One file that `onehost sync` ships, relative to the remotes tree. */
export interface TreeFile {
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

/** Modes of OpenNebula's own tree: nothing for others (install-and-sync R22). */
export const EXECUTABLE_MODE = 0o750;
export const DATA_MODE = 0o640;
export const DIRECTORY_MODE = 0o750;

/** The first line of our launchers by which they are known again. */
export const LAUNCHER_MARK = "# Launcher of onevirt:";

/** Where our own settings stand in the tree. */
export const SETTINGS_PATH = "onevirt/onevirt.conf";

/** Everything in the tree but the executable: a launcher for each action, and the defaults of our own settings. */
export function treeFiles(): readonly TreeFile[] {
  const launchers = Object.values(actions).map(({ script }) => ({ path: script, mode: EXECUTABLE_MODE, text: launcher }));
  return [...launchers, { path: SETTINGS_PATH, mode: DATA_MODE, text: settings }].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Where the executable stands in the tree: one fixed name for each machine type, as `uname -m` says it (install-and-sync R13). */
export function executablePath(arch: string): string {
  return `onevirt/onevirt-${arch === "arm64" ? "aarch64" : "x86_64"}`;
}

/**
 * Where install keeps a working copy of the script that a launcher replaces, for /etc/onevirt/off. It stands beside the launcher
 * because upstream's scripts load others by their place: `opennebula_vm`, `../lib/command`, `save.ceph`, `../../scripts_common.sh`.
 */
export function upstreamPath(script: string): string {
  return script.replace(/[^/]*$/, "upstream-$&");
}

/** Whether a text starts as our launchers do, of whatever version. */
export function isLauncher(text: string): boolean {
  return text.split("\n", 2)[1]?.startsWith(LAUNCHER_MARK) ?? false;
}
