import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quoteWord } from "../../src/codec/shell-word.ts";
import { run, type Result } from "./executable-tree.ts";

const top = join(import.meta.dir, "..", "..");
const LAB = join(top, "scripts/lab");

/** The launchers on a host, where onehost sync puts them. */
export const REMOTE = "/var/tmp/one/vmm/kvm";

/** Where the lab keeps VMs; both hosts see it. */
export const DATASTORE = "/var/lib/one/datastores/0";

export type Host = "hosta" | "hostb";

/** Calls of one host share one connection, which ends by itself when nobody has used it for a while: a new one each time would cost more than most actions. */
const SHARED_CONNECTION = ["-o", "ControlMaster=auto", "-o", "ControlPath=/var/lib/one/.ssh/onevirt-%C", "-o", "ControlPersist=20"];
const AS_ONEADMIN = ["setpriv", "--reuid=oneadmin", "--regid=oneadmin", "--init-groups", "--reset-env", "--"];

/** What ssh says when two commands make the shared connection at the same moment: no word of ours. */
const SSH_WORDS = /^ControlSocket \S+ already exists, disabling multiplexing\r?\n/gm;

/** Runs a shell line as oneadmin on a host, over ssh, as oned does. */
export async function on(host: Host, line: string, stdin = ""): Promise<Result> {
  const result = await run([...AS_ONEADMIN, "ssh", ...SHARED_CONNECTION, host, line], { stdin, env: rootEnvironment() });
  return { ...result, stderr: result.stderr.replace(SSH_WORDS, "") };
}

/** Runs a shell line as root inside a host: to injure it, never to do our work. */
export async function rootOn(host: Host, line: string): Promise<Result> {
  return run(["nsenter", `--target=${await holderOf(host)}`, "--mount", "--uts", "--net", "--root", "--wd", "--", "bash", "-c", line], { env: { ...rootEnvironment(), LC_ALL: "C" } });
}

const holders = new Map<Host, Promise<number>>();

/** The process that keeps the namespaces of a host for as long as the lab is up. */
function holderOf(host: Host): Promise<number> {
  const known = holders.get(host) ?? lab("status", "--json").then((text) => {
    const { hosts } = JSON.parse(text) as { readonly hosts: readonly { readonly name: string; readonly pids: { readonly holder?: number } }[] };
    const pid = hosts.find(({ name }) => name === host)?.pids.holder;
    if (pid === undefined) throw new Error(`${host} is not up: scripts/lab up`);
    return pid;
  });
  holders.set(host, known);
  return known;
}

/** A command of scripts/lab; fails the test when it fails. */
export async function lab(...words: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run([LAB, ...words], { env: rootEnvironment() });
  if (exitCode !== 0) throw new Error(`scripts/lab ${words.join(" ")} failed: ${stderr}`);
  return stdout;
}

/** The two files of the tree that an administrator edits; what is left out is as the packages and we ship it. */
export interface HostSettings {
  readonly kvmrc?: string;
  readonly conf?: string;
}

const KVMRC = "etc/vmm/kvm/kvmrc";
const CONF = "onevirt/onevirt.conf";
let shipped: Required<HostSettings> | undefined;

/** Installs our tree as the README says, into a false packaged tree, and syncs it to the hosts. Gives the front-end tree. */
export async function syncedTree(hosts: readonly Host[], { kvmrc, conf }: HostSettings = {}): Promise<string> {
  const tree = mkdtempSync(join(tmpdir(), "onevirt-remotes-"));
  rmSync(tree, { recursive: true });
  await lab("tree", tree);
  cpSync(join(top, "dist/remotes"), tree, { recursive: true });
  shipped ??= { kvmrc: readFileSync(join(tree, KVMRC), "utf8"), conf: existsSync(join(tree, CONF)) ? readFileSync(join(tree, CONF), "utf8") : "" };
  if (kvmrc !== undefined) await Bun.write(join(tree, KVMRC), kvmrc);
  if (conf !== undefined) await Bun.write(join(tree, CONF), conf);
  await run(["chown", "-R", "oneadmin:oneadmin", tree]);
  for (const host of hosts) await lab("sync", host, tree);
  return tree;
}

/** Changes the settings of hosts that have our tree already, as another sync would: a sync also carries the executable, and takes seconds. */
export async function settingsOn(hosts: readonly Host[], settings: HostSettings = {}): Promise<void> {
  if (!shipped) throw new Error("settingsOn() needs a tree on the hosts: syncedTree() comes first");
  const { kvmrc, conf } = { ...shipped, ...settings };
  const write = (path: string, text: string) => `echo ${Buffer.from(text).toString("base64")} | base64 -d > /var/tmp/one/${path}`;
  for (const host of hosts) must(await on(host, `umask 027; ${write(KVMRC, kvmrc)} && ${write(CONF, conf)}`), `settings of ${host}`);
}

function must({ exitCode, stderr }: Result, what: string): void {
  if (exitCode !== 0) throw new Error(`${what} failed: ${stderr}`);
}

/** A Linux guest that oned would call one-<vmid>, not yet started. */
export class Guest {
  readonly name: string;
  readonly directory: string;

  private constructor(
    readonly vmid: number,
    readonly xml: string,
    readonly uuid: string,
  ) {
    this.name = `one-${vmid}`;
    this.directory = `${DATASTORE}/${vmid}`;
  }

  static async make(vmid: number, ...options: readonly string[]): Promise<Guest> {
    const xml = await lab("domain", `one-${vmid}`, "--vm-dir", `${DATASTORE}/${vmid}`, ...options);
    return new Guest(vmid, xml, /<uuid>([^<]+)</.exec(xml)?.[1] ?? "");
  }

  /** The same VM with another document. */
  with(edit: (xml: string) => string): Guest {
    return new Guest(this.vmid, edit(this.xml), this.uuid);
  }

  get file(): string {
    return `${this.directory}/deployment.0`;
  }

  deploy(host: Host, environment = ""): Promise<Result> {
    return on(host, `${environment} ${REMOTE}/deploy '${this.file}' '${host}' '${this.vmid}' ${host}`, this.xml);
  }

  act(host: Host, action: string, ref = this.uuid): Promise<Result> {
    return on(host, `${REMOTE}/${action} '${ref}' '${host}' ${this.vmid} ${host}`);
  }

  /** An action with these words, in oned's order, and this driver message on stdin. */
  call(host: Host, action: string, words: readonly string[], stdin = ""): Promise<Result> {
    return on(host, `${REMOTE}/${action} ${words.map((word) => quoteWord(word)).join(" ")}`, stdin);
  }

  /** What a shell inside the guest prints for a line, through its agent; fails the test when it gives no answer. */
  async inside(host: Host, line: string): Promise<string> {
    const ask = async (question: object) => {
      const { exitCode, stdout, stderr } = await on(host, `virsh -c qemu:///system qemu-agent-command ${this.name} ${quoteWord(JSON.stringify(question))}`);
      if (exitCode !== 0) throw new Error(`the agent of ${this.name} did not answer: ${stderr}`);
      return (JSON.parse(stdout) as { return: { pid: number; exited: boolean; "out-data"?: string } }).return;
    };
    const { pid } = await ask({ execute: "guest-exec", arguments: { path: "/bin/sh", arg: ["-c", line], "capture-output": true } });
    for (;;) {
      const status = await ask({ execute: "guest-exec-status", arguments: { pid } });
      if (status.exited) return Buffer.from(status["out-data"] ?? "", "base64").toString();
      await Bun.sleep(100);
    }
  }

  /** Begins a line in a shell inside the guest, and does not ask what became of it: the agent may be gone by then. */
  async begin(host: Host, line: string): Promise<void> {
    const question = { execute: "guest-exec", arguments: { path: "/bin/sh", arg: ["-c", line] } };
    const { exitCode, stderr } = await on(host, `virsh -c qemu:///system qemu-agent-command ${this.name} ${quoteWord(JSON.stringify(question))}`);
    if (exitCode !== 0) throw new Error(`the agent of ${this.name} did not answer: ${stderr}`);
  }

  /** Waits until the guest's agent answers: then it has booted. */
  async ready(host: Host, seconds?: number): Promise<void> {
    await until(`the agent of ${this.name} answers`, async () => (await on(host, `virsh -c qemu:///system qemu-agent-command ${this.name} '{"execute":"guest-ping"}'`)).exitCode === 0, seconds);
  }

  /** Waits until the guest's console holds a text. */
  async says(host: Host, text: string): Promise<void> {
    await until(`${this.name} prints "${text}"`, async () => (await on(host, `grep -q '${text}' ${this.directory}/console.log`)).exitCode === 0);
  }

  async state(host: Host): Promise<string> {
    const { stdout, exitCode } = await on(host, `virsh -c qemu:///system domstate ${this.uuid} 2>/dev/null`);
    return exitCode === 0 ? stdout.trim() : "gone";
  }

  /** Ends it whatever state it is in, and removes its directory. */
  async remove(host: Host): Promise<void> {
    await rootOn(host, `pid=$(cat /run/libvirt/qemu/${this.name}.pid 2>/dev/null) && kill -CONT $pid; timeout 30 virsh -c qemu:///system destroy ${this.uuid} >/dev/null 2>&1; true`);
    if (existsSync(this.directory)) rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A VM that also has an empty CD-ROM drive sdz, the last one of its SCSI controller. */
export function withDrive(xml: string): string {
  const drive = "<disk type='file' device='cdrom'><target dev='sdz' bus='scsi'/><readonly/><address type='drive' controller='0' bus='0' target='25' unit='0'/></disk>";
  return xml.replace("<controller type='scsi'", `${drive}<controller type='scsi'`);
}

/** Waits for a condition, never for time; fails with what it waited for. */
export async function until(what: string, condition: () => Promise<boolean>, seconds = 60): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${seconds} s until ${what}`);
    await Bun.sleep(100);
  }
}

/** The user's part of an action's stderr, as oned 7.x picks it. */
export function userMessage({ stderr }: Result): string {
  return stderr.split("\n").filter((line) => line !== "" && !/^(ERROR|INFO|WARN|DEBUG):/.test(line)).join("\n");
}

function rootEnvironment(): Record<string, string> {
  return { HOME: process.env.HOME ?? "/root", PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin" };
}
