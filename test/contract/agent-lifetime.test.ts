// How an agent ends and another goes on, with the built executable as processes and oned's own entrance; no hypervisor is needed (monitoring.md 3, 4.3).
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executablePath } from "../../src/remotes/tree.ts";
import { EXECUTABLE, ExecutableTree } from "../support/executable-tree.ts";
import { FrontEnd } from "../support/front-end.ts";
import { OwnPlaces } from "../support/own-places.ts";
import { programsThat, wordsOf } from "../support/programs.ts";

const controlOf = (driver: string) => `im/${driver}.d/monitord-client_control.sh`;
const CONTROL = controlOf("kvm");
const HOUR = 3600;

/** As upstream's: it starts a process that shows these words, and answers. */
const UPSTREAM_CONTROL = '#!/bin/sh\ncd "$(dirname "$0")" || exit 1\ncase $1 in stop) exit 0 ;; esac\ncat > /dev/null\n: > /tmp/upstream\n(exec sh "$PWD/monitord-client.rb" "$@" < /dev/null > /dev/null 2>&1) &\necho upstream\n';
const UPSTREAM_CLIENT = "while [ -e /tmp/upstream ]; do sleep 0.1; done\n";

let tree: ExecutableTree;
let places: OwnPlaces;
let front: FrontEnd;
beforeEach(async () => {
  tree = new ExecutableTree();
  for (const driver of ["kvm", "qemu"]) tree.write(`etc/im/${driver}-probes.d/pci.conf`, ":filter: '0:0'\n"); // as the packages have it
  places = await OwnPlaces.open(tree.root);
  front = await FrontEnd.open("127.0.0.1");
});
afterEach(async () => {
  rmSync(places.path("/etc/onevirt/off"), { force: true });
  await places.run([join(tree.root, CONTROL), "stop", "kvm", "3", "host7"]);
  await front.down();
  await places[Symbol.asyncDispose]();
  tree[Symbol.dispose]();
});

describe("an executable that replaces the one of a running agent", () => {
  test("is started after SIGHUP and takes over: same host, same front-end, one process, and no time goes back though the clock did", async () => {
    tree.write("state/agent-status.json", JSON.stringify({ hostId: 3, latestMessage: now() + HOUR }));
    const old = await started();
    await heardFrom();
    const inode = replace(copy());
    process.kill(old, "SIGHUP");
    const next = await followerOf(old);
    const before = front.heard.length;
    await until(() => front.heard.slice(before).some(({ type }) => type === "BEACON_HOST") && kept("state/agent-status.json").includes(`"pid":${next},`));
    expect({ runs: statSync(`/proc/${next}/exe`).ino, configuration: readFileSync(places.path("/var/tmp/one_db/config"), "utf8"), pid: pidFile(), old: isAlive(old) }).toEqual({ runs: inode, configuration: configuration(), pid: String(next), old: false });
    expect({ hosts: new Set(front.heard.map(({ hostId }) => hostId)), failures: front.heard.filter(({ status }) => status !== "SUCCESS"), back: goingBack(), late: front.heard.every(({ timestamp }) => timestamp > now() + HOUR / 2) }).toEqual({ hosts: new Set([3]), failures: [], back: [], late: true });
  }, 60_000);

  const broken: [string, (path: string) => void][] = [["has no mode to run", (path) => chmodSync(path, 0o640)], ["was cut", (path) => truncateSync(path, statSync(path).size / 2)], ["is no program", (path) => writeFileSync(path, "no program\n")]];
  test.each(broken)("but %s leaves the old one running, says so, and is followed by one that works", async (_what, spoil) => {
    const old = await started();
    const spoilt = copy();
    spoil(spoilt);
    replace(spoilt);
    process.kill(old, "SIGHUP");
    await until(() => complaints() === 1);
    await heardFrom();
    expect(agents()).toEqual([old]);
    const inode = replace(copy());
    process.kill(old, "SIGHUP");
    expect(statSync(`/proc/${await followerOf(old)}/exe`).ino).toBe(inode);
  }, 60_000);
});

describe("/etc/onevirt/off", () => {
  test("ends a running agent, and the next start is upstream's; without it, ours takes over again", async () => {
    tree.write("im/kvm.d/upstream-monitord-client_control.sh", UPSTREAM_CONTROL);
    tree.write("im/kvm.d/monitord-client.rb", UPSTREAM_CLIENT);
    const ours = await started();
    writeFileSync(places.path("/etc/onevirt/off"), "");
    process.kill(ours, "SIGHUP");
    await until(() => agents().length === 0);
    expect([existsSync(places.path("/tmp/one-monitord-3.pid")), pidFile()]).toEqual([false, undefined]);
    expect(await start()).toEqual({ exitCode: 0, stdout: "upstream\n", stderr: "" });
    const theirs = await followerOf(ours);
    expect(wordsOf(theirs)[0]).toBe("sh");
    rmSync(places.path("/etc/onevirt/off"));
    expect(await started()).not.toBe(theirs);
    expect(isAlive(theirs)).toBe(false);
  }, 60_000);

  test("ends nobody where upstream's script is not kept: there would be no agent at all", async () => {
    const ours = await started();
    writeFileSync(places.path("/etc/onevirt/off"), "");
    process.kill(ours, "SIGHUP");
    await heardFrom();
    expect(agents()).toEqual([ours]);
  }, 60_000);
});

test("a host whose driver becomes qemu: qemu's agent ends kvm's, runs the programs of qemu, reports, and is stopped by qemu's script", async () => {
  const kvm = await started();
  tree.write("im/qemu-probes.d/host/system/custom.sh", '#!/bin/sh\nprintf \'CUSTOM="%s"\\n\' "$*"\n', 0o750);
  const { exitCode, stdout, stderr } = await start("qemu");
  const [pid = 0, ...others] = agents("qemu");
  await heardFrom();
  const system = () => front.texts("SYSTEM_HOST").at(-1) ?? "";
  await until(() => system().includes("CUSTOM"));
  expect({ exitCode, stderr, answer: /<SYSTEM_HOST>.*<STATE_VM>.*<\/MONITOR_MESSAGES>/s.test(stdout), others, kvm: isAlive(kvm), pid: pidFile(), hypervisor: /^HYPERVISOR=.*$/m.exec(system())?.[0], custom: /^CUSTOM=.*$/m.exec(system())?.[0] }).toEqual({ exitCode: 0, stderr: "", answer: true, others: [], kvm: false, pid: String(pid), hypervisor: "HYPERVISOR=kvm", custom: 'CUSTOM="qemu 3 host7"' });
  expect(await places.run([join(tree.root, controlOf("qemu")), "stop", "qemu", "3", "host7"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  expect([agents("qemu"), isAlive(pid), pidFile()]).toEqual([[], false, undefined]);
}, 60_000);

test("SIGUSR1 before the first answer ended the agent: it answers, and goes on", async () => {
  tree.write("im/kvm-probes.d/host/system/slow.sh", `#!/bin/sh\n: > ${tree.root}/asked\nwhile ! [ -e ${tree.root}/go ]; do sleep 0.05; done\n`, 0o750);
  const answer = start();
  await until(() => existsSync(join(tree.root, "asked")) && pidFile() !== undefined);
  const pid = Number(pidFile());
  for (let round = 0; round < 3; round++) process.kill(pid, "SIGUSR1");
  tree.write("go", "");
  expect(await answer).toEqual({ exitCode: 0, stdout: expect.stringContaining("</MONITOR_MESSAGES>"), stderr: "" });
  await heardFrom();
  expect(agents()).toEqual([pid]);
}, 60_000);

test("an agent has a session of its own and no terminal, so that the end of an ssh session is not its end", async () => {
  const stat = readFileSync(`/proc/${await started()}/stat`, "utf8");
  const [, , session, terminal] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(1);
  expect([session, terminal]).toEqual([stat.split(" ")[0], "0"]);
}, 60_000);

test("a start whose input never ends waited for ever; a running agent is left alone", async () => {
  const ours = await started();
  const child = Bun.spawn(places.inside([join(tree.root, CONTROL), "kvm", "3", "host7"]), { stdin: "pipe", stdout: "ignore", stderr: "pipe" });
  child.stdin.write(configuration());
  await child.stdin.flush();
  expect([await new Response(child.stderr).text(), await child.exited, agents()] as unknown[]).toEqual(["Cannot read the monitoring configuration: stdin did not end in time\n", 255, [ours]]);
}, 60_000);

test("stop that may not end an agent, because it is another user's, says which one; it was a success", async () => {
  chmodSync(tree.root, 0o755);
  const other = Bun.spawn(["sh", "-c", "echo ready; read -r never", join(tree.root, "im/kvm.d/monitord-client.rb"), "kvm", "3", "host7"], { stdin: "pipe", stdout: "pipe" });
  await other.stdout.getReader().read();
  const stop = Bun.spawnSync(["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups", join(tree.root, executablePath(process.arch)), "agent", "stop", "kvm", "3", "host7"], { env: { PATH: process.env.PATH ?? "", ONEVIRT_TREE: tree.root } });
  other.kill();
  expect([stop.exitCode, stop.stdout.toString(), stop.stderr.toString()]).toEqual([1, "", `Cannot end what another user started, and what reports this host still: process ${other.pid}\nHint: end it as that user, or as root.\n`]);
}, 60_000);

test("an agent in the foreground ends with its terminal", async () => {
  tree.write("configuration", configuration());
  const line = `${join(tree.root, executablePath(process.arch))} agent run ${join(tree.root, "im/kvm.d/monitord-client.rb")} kvm 3 host7 < ${join(tree.root, "configuration")}`;
  const env = { PATH: process.env.PATH ?? "", SSH_CLIENT: "127.0.0.1 40000 22", ONEVIRT_TREE: tree.root, ONEVIRT_RESIDENT: join(tree.root, "resident"), SHELL: "/bin/sh" };
  const terminal = Bun.spawn(places.inside(["script", "-qec", line, "/dev/null"]), { env, stdin: "pipe", stdout: "ignore", stderr: "ignore" });
  await heardFrom();
  terminal.kill("SIGKILL"); // and its side of the terminal is closed
  await until(() => agents().length === 0);
  expect(pidFile()).toBeUndefined();
}, 60_000);

function configuration(): string {
  const periods = { BEACON_HOST: 1, SYSTEM_HOST: 2, MONITOR_HOST: 2, STATE_VM: 1, EXEC_VM: 2, MONITOR_VM: 2 };
  return `<MONITOR_CONFIGURATION><NETWORK><MONITOR_ADDRESS><![CDATA[auto]]></MONITOR_ADDRESS><PORT>${front.port}</PORT></NETWORK><PROBES_PERIOD>${Object.entries(periods).map(([name, value]) => `<${name}>${value}</${name}>`).join("")}</PROBES_PERIOD><HOST_ID>3</HOST_ID></MONITOR_CONFIGURATION>`;
}

/** Starts an agent as run_monitord_client does. */
function start(driver = "kvm") {
  return places.run([join(tree.root, controlOf(driver)), driver, "3", "host7"], { stdin: configuration(), env: { SSH_CLIENT: "127.0.0.1 40000 22", ONEVIRT_RESIDENT: join(tree.root, "resident") } });
}

/** The pid of ours, once it has answered. */
async function started(): Promise<number> {
  const { exitCode, stdout, stderr } = await start();
  expect({ exitCode, stderr, answer: stdout.includes("</MONITOR_MESSAGES>") }).toEqual({ exitCode: 0, stderr: "", answer: true });
  const [pid = 0, ...others] = agents();
  expect([others, readlinkSync(`/proc/${pid}/exe`)] as unknown[]).toEqual([[], join(tree.root, executablePath(process.arch))]);
  return pid;
}

/** The only agent, once it is another one. */
async function followerOf(old: number): Promise<number> {
  let found: readonly number[] = [];
  await until(() => (found = agents()).length === 1 && found[0] !== old);
  return found[0] ?? 0;
}

/** Beacons that come from now on. */
async function heardFrom(): Promise<void> {
  const before = front.heard.length;
  await until(() => front.heard.slice(before).filter(({ type }) => type === "BEACON_HOST").length > 1);
}

/** Another executable that is as good, beside the one of the tree. */
function copy(): string {
  const path = join(tree.root, "onevirt/next");
  copyFileSync(EXECUTABLE, path);
  chmodSync(path, 0o750);
  return path;
}

/** As rsync puts a file into its place. Gives its inode. */
function replace(path: string): number {
  renameSync(path, join(tree.root, executablePath(process.arch)));
  return statSync(join(tree.root, executablePath(process.arch))).ino;
}

/** Pids of agents of this tree, ours or upstream's. */
function agents(driver = "kvm"): readonly number[] {
  const program = join(tree.root, `im/${driver}.d/monitord-client.rb`);
  return programsThat((words) => words.includes(program));
}

/** One that has ended, and that nobody has waited for, has no words. */
function isAlive(pid: number): boolean {
  return wordsOf(pid).length > 0;
}

function complaints(): number {
  return readFileSync(places.path("/var/tmp/one_db/agent.log"), "utf8").split("which has replaced this agent's: ").length - 1;
}

function pidFile(): string | undefined {
  const path = places.path("/var/tmp/one_db/.monitor_client.pid");
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

function kept(path: string): string {
  return readFileSync(join(tree.root, path), "utf8");
}

/** Messages that onemonitord would drop, because a later one of their type has come before them. */
function goingBack(): readonly unknown[] {
  const latest = new Map<string, number>();
  return front.heard.filter(({ type, timestamp }) => {
    const before = latest.get(type) ?? 0;
    latest.set(type, Math.max(before, timestamp));
    return timestamp < before;
  });
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error("it has not come to that within 30 s");
    await Bun.sleep(20);
  }
}
