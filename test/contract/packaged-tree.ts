import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { actions } from "../../src/actions/table.ts";

/** Numbers as a package gives them to oneadmin; no such user has to exist. */
export const ONEADMIN = { uid: 9869, gid: 9869 } as const;

/** The built executable that the contract tests run. */
export const EXECUTABLE = join(import.meta.dir, "../../dist/onevirt");

/** A front-end's directory as packages leave it, with what an administrator added, in a temporary place. */
export class PackagedTree implements Disposable {
  readonly top: string;
  readonly path: string;
  readonly backup: string;

  constructor(top: string = mkdtempSync(join(tmpdir(), "onevirt-tree-"))) {
    this.top = top;
    this.path = join(top, "remotes");
    this.backup = join(top, "onevirt-backup");
    chmodSync(top, 0o755);
    for (const [path, mode, text] of files()) this.write(path, text, mode);
    for (const path of this.names()) chownSync(join(this.path, path), ONEADMIN.uid, ONEADMIN.gid);
    chownSync(this.path, ONEADMIN.uid, ONEADMIN.gid);
    // Times that a floating point number cannot hold.
    run(["find", this.path, "-type", "f", "-exec", "touch", "-d", "@1720000000.123456789", "{}", "+"]);
  }

  /** Puts a file into the tree, as oneadmin's. */
  write(path: string, text: string, mode = 0o640): void {
    mkdirSync(dirname(join(this.path, path)), { recursive: true, mode: 0o750 });
    rmSync(join(this.path, path), { force: true });
    writeFileSync(join(this.path, path), text);
    chmodSync(join(this.path, path), mode);
    chownSync(join(this.path, path), ONEADMIN.uid, ONEADMIN.gid);
  }

  read(path: string): string {
    return readFileSync(join(this.path, path), "utf8");
  }

  names(): string[] {
    return readdirSync(this.path, { recursive: true, encoding: "utf8" }).sort();
  }

  /** Everything that must be equal after a way back: kind, mode, owner, content; and the time of each file to the nanosecond. */
  snapshot(directory: string = this.path): Record<string, string> {
    return Object.fromEntries(readdirSync(directory, { recursive: true, encoding: "utf8" }).sort().map((path) => [path, describe(join(directory, path))]));
  }

  /** Which file stands where, and when it changed last: nothing at all may have been written. */
  identities(directory: string = this.path): Record<string, string> {
    return Object.fromEntries(readdirSync(directory, { recursive: true, encoding: "utf8" }).sort().map((path) => [path, identify(join(directory, path))]));
  }

  /** The same where something may have been made in a directory and taken away again: its times do not count. */
  fileIdentities(directory: string = this.path): Record<string, string> {
    return Object.fromEntries(Object.keys(this.identities(directory)).map((path) => [path, lstatSync(join(directory, path)).isDirectory() ? "directory" : identify(join(directory, path))]));
  }

  /** Runs the built executable on this tree. */
  remotes(...words: readonly string[]): { code: number; out: string; err: string } {
    return run([EXECUTABLE, "remotes", ...words, "--tree", this.path]);
  }

  [Symbol.dispose](): void {
    rmSync(this.top, { recursive: true, force: true });
  }
}

/** Runs a program to its end. */
export function run(command: readonly string[], options: { readonly cwd?: string; readonly env?: Record<string, string> } = {}): { code: number; out: string; err: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe", ...options });
  return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
}

/** The same as the owner of the tree. */
export function runAsOneadmin(command: readonly string[]): { code: number; out: string; err: string } {
  return run(["setpriv", `--reuid=${ONEADMIN.uid}`, `--regid=${ONEADMIN.gid}`, "--clear-groups", ...command]);
}

/** The actions that a package of OpenNebula 7 brings; it has no poll. */
export const PACKAGED_ACTIONS = Object.keys(actions).filter((name) => name !== "poll");

function identify(path: string): string {
  const { ino, mtimeNs, ctimeNs } = lstatSync(path, { bigint: true });
  return `${ino} ${mtimeNs} ${ctimeNs}`;
}

function describe(path: string): string {
  const { mode, uid, gid, mtimeNs } = lstatSync(path, { bigint: true });
  const stat = lstatSync(path);
  const content = stat.isFile() ? `${new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex")} ${mtimeNs}` : stat.isSymbolicLink() ? readlinkSync(path) : "directory";
  return `${mode.toString(8)} ${uid}:${gid} ${content}`;
}

function files(): readonly (readonly [string, number, string])[] {
  const scripts = PACKAGED_ACTIONS.map((name) => [`vmm/kvm/${name}`, 0o750, `#!/bin/bash\nsource $(dirname $0)/../../scripts_common.sh\necho "upstream ${name} $SHARED $*"\n`] as const);
  return [
    ...scripts,
    ["VERSION", 0o640, "7.0.1\n"],
    ["scripts_common.sh", 0o640, "SHARED=common\n"],
    ["vmm/kvm/save.ceph", 0o750, "#!/bin/bash\n"],
    ["vmm/kvm/opennebula_vm.rb", 0o640, "# ruby\n"],
    ["vmm/lib/command.rb", 0o640, "# ruby\n"],
    ["etc/vmm/kvm/kvmrc", 0o640, "export LIBVIRT_URI=qemu+tcp://localhost/system # edited\n"],
    ["im/kvm-probes.d/host/system/site-probe.sh", 0o750, "#!/bin/sh\necho SITE=1\n"],
    ["im/kvm-probes.d/host/system/name.sh", 0o755, "#!/bin/sh\necho HOSTNAME\n"],
  ];
}
