import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { defineCommand } from "citty";
import { messageOf, OnevirtError } from "../core/errors.ts";
import { ROOT_DIRECTORY, ROOT_NAMES, SUDOERS, SUDOERS_FILE, SUDOERS_MAIN, VIRTIOFSD } from "../root/place.ts";
import { readSudoers } from "../root/sudoers-lines.ts";
import { type TreeGrant, treeGrants } from "../root/tree-grants.ts";

const install = defineCommand({
  meta: { name: "install", description: `On a host, as root: put a root-owned copy into ${ROOT_DIRECTORY} and allow oneadmin to run it through sudo` },
  run() {
    requireRoot();
    mkdirSync(ROOT_DIRECTORY, { recursive: true, mode: 0o755 });
    requireSafe("/usr"), requireSafe("/usr/lib"), requireSafe(ROOT_DIRECTORY);
    replace(join(ROOT_DIRECTORY, "onevirt"), (path) => copyFileSync(process.execPath, path), 0o755);
    for (const name of ROOT_NAMES) replace(join(ROOT_DIRECTORY, name), (path) => symlinkSync("onevirt", path));
    replace(join(ROOT_DIRECTORY, "virtiofsd.sh"), (path) => writeFileSync(path, VIRTIOFSD), 0o755);
    mkdirSync(dirname(SUDOERS_FILE), { recursive: true, mode: 0o750 });
    replace(SUDOERS_FILE, (path) => {
      writeFileSync(path, SUDOERS, { mode: 0o440 });
      check(path);
    }, 0o440);
    console.log(`Root's copy is ${ROOT_DIRECTORY}/onevirt; ${SUDOERS_FILE} lets oneadmin run ${ROOT_NAMES.join(" and ")}.`);
    for (const { text } of findings()) console.error(`Warning: ${text}`);
  },
});

const uninstall = defineCommand({
  meta: { name: "uninstall", description: "Take both away again" },
  run() {
    requireRoot();
    rmSync(SUDOERS_FILE, { force: true });
    rmSync(ROOT_DIRECTORY, { recursive: true, force: true });
    console.log("Root's copy and its sudoers lines are gone; OpenNebula's own helpers are used again.");
  },
});

const status = defineCommand({
  meta: { name: "status", description: "On a host, as root: tell whether both are there, and what else lets root run files that oneadmin can write; exit code 1 when something is wrong" },
  run() {
    requireRoot();
    const missing = [join(ROOT_DIRECTORY, "onevirt"), SUDOERS_FILE].filter((path) => !existsSync(path)).map((path) => ({ text: `${path} is missing: run onevirt root install`, mustGo: true }));
    const found = missing.length > 0 ? [...missing, ...treeGrants(readSudoers(SUDOERS_MAIN))] : findings();
    const wrong = found.some(({ mustGo }) => mustGo);
    console.log([...found.map(({ text, mustGo }) => `${mustGo ? "Wrong" : "Note"}: ${text}`), ...(wrong ? [] : [`Root's copy is ${ROOT_DIRECTORY}/onevirt, and sudo runs nothing in its place.`])].join("\n"));
    process.exitCode = wrong ? 1 : 0;
  },
});

const show = defineCommand({ meta: { name: "sudoers", description: "Print the sudoers lines" }, run: () => console.log(SUDOERS.trimEnd()) });

/** `onevirt root …`: the helpers that need root, where oneadmin cannot write them (actions.md 17.1 row 10). */
export default defineCommand({ meta: { name: "root", description: "The helpers that need root" }, subCommands: { install, status, uninstall, sudoers: show } });

function requireRoot(): void {
  if (process.geteuid?.() !== 0) throw new OnevirtError("BAD_ARGUMENT", "Only root can do that");
}

/** What keeps sudo from our lines, and lines of others that let root run files of oneadmin. They belong to others: told, never changed. */
function findings(): readonly TreeGrant[] {
  const lines = readSudoers(SUDOERS_MAIN);
  const unread = lines.some(({ file }) => file === SUDOERS_FILE) ? [] : [{ text: `sudo does not read ${SUDOERS_FILE}: install sudo, or put "@includedir ${dirname(SUDOERS_FILE)}" into ${SUDOERS_MAIN}`, mustGo: true }];
  return [...unread, ...treeGrants(lines)];
}

/** A directory that somebody else can write would let him replace what root runs. */
function requireSafe(directory: string): void {
  const { uid, mode } = statSync(directory);
  if (uid !== 0 || (mode & 0o022) !== 0) throw new OnevirtError("FILE_FAILED", `Cannot install into ${ROOT_DIRECTORY}: "${directory}" can be written by others than root`);
}

/** Under a new name first, then in place: nobody ever runs a part of it. */
function replace(path: string, make: (temporary: string) => void, mode?: number): void {
  const temporary = `${path}.new`; // sudo reads no file with a dot in its name
  rmSync(temporary, { force: true });
  try {
    make(temporary);
    if (mode !== undefined) chmodSync(temporary, mode);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause instanceof OnevirtError ? cause : new OnevirtError("FILE_FAILED", `Cannot write "${path}": ${messageOf(cause)}`, { cause });
  }
}

/** A sudoers file that sudo cannot read would end sudo for all. */
function check(path: string): void {
  const visudo = ["/usr/sbin/visudo", "/sbin/visudo"].find((each) => existsSync(each));
  if (!visudo) return;
  const { exitCode, stderr, stdout } = Bun.spawnSync([visudo, "-c", "-f", path]);
  if (exitCode !== 0) throw new OnevirtError("FILE_FAILED", `Cannot install sudoers lines: ${(stderr.toString() || stdout.toString()).trim()}`);
}
