import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { treeFiles } from "../../src/remotes/parts.ts";
import { executablePath } from "../../src/remotes/tree.ts";

/** The built executable; `npm test` builds it first. */
export const EXECUTABLE = join(import.meta.dir, "..", "..", "dist", "onevirt");

export interface Result {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A remotes tree of its own with our launchers and the built executable, on libvirt's in-process test driver unless `kvmrc` says otherwise. */
export class ExecutableTree implements Disposable {
  readonly root: string;
  readonly vmDirectory: string;

  constructor({ kvmrc = "export LIBVIRT_URI=test:///default\n", conf = "", version = "7.4.0" }: { kvmrc?: string; conf?: string; version?: string } = {}) {
    if (!existsSync(EXECUTABLE)) throw new Error("dist/onevirt is missing: run npm run build");
    this.root = mkdtempSync(join(tmpdir(), "onevirt-tree-"));
    this.vmDirectory = join(this.root, "datastores/0/7");
    for (const { path, mode, text } of treeFiles()) this.write(path, text, mode);
    link(EXECUTABLE, join(this.root, executablePath(process.arch)));
    this.write("VERSION", version);
    this.write("etc/vmm/kvm/kvmrc", kvmrc);
    this.write("onevirt/onevirt.conf", `LOCK_DIRECTORY=${this.root}/locks\nSTATE_DIRECTORY=${this.root}/state\n${conf}`);
    mkdirSync(this.vmDirectory, { recursive: true });
  }

  write(path: string, text: string, mode = 0o640): string {
    const target = join(this.root, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
    chmodSync(target, mode);
    return target;
  }

  /** Calls an action through its launcher, as oned does. */
  run(action: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run([join(this.root, "vmm/kvm", action), ...args], options);
  }

  get deploymentFile(): string {
    return join(this.vmDirectory, "deployment.0");
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Runs a program to its end and gives all that it said. */
export async function run(command: readonly string[], { stdin = "", env = {}, cwd = "/" }: RunOptions = {}): Promise<Result> {
  const child = Bun.spawn({ cmd: [...command], stdin: typeof stdin === "string" ? Buffer.from(stdin) : stdin, stdout: "pipe", stderr: "pipe", cwd, env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...env } });
  const [stdout, stderr, exitCode] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { exitCode, stdout, stderr };
}

/** The smallest domain that the test driver starts. */
export function testDomain(name = "one-7", more = "", uuid = "11111111-2222-4333-8444-555555555507"): string {
  return `<domain type='test'><name>${name}</name><uuid>${uuid}</uuid><memory>1024</memory><os><type>hvm</type></os>${more}</domain>\n`;
}

function link(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to); // another file system
    chmodSync(to, 0o750);
  }
}
