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

/** Where our own settings stand in the tree. */
export const SETTINGS_PATH = "onevirt/onevirt.conf";

/** A launcher for each action. */
export function actionFiles(): readonly TreeFile[] {
  return Object.values(actions).map(({ script }) => ({ path: script, mode: EXECUTABLE_MODE, text: launcher }));
}

/** What both parts need beside the executable: the defaults of our own settings. */
export function commonFiles(): readonly TreeFile[] {
  return [{ path: SETTINGS_PATH, mode: DATA_MODE, text: settings }];
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
