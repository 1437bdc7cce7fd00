import { DriverProcess } from "../fixtures/driver-process.ts";
import { DriverWorld } from "../fixtures/driver-world.ts";
import type { ScriptCall } from "../fixtures/driver-world.ts";
import { PathMap } from "./driver-paths.ts";
import { expectedLines } from "./driver-rules.ts";
import type { Scenario } from "./driver-scenario.ts";

/** What our driver did with a recorded conversation, in the paths of the recording. */
export interface Replay {
  readonly lines: readonly string[];
  readonly calls: readonly ScriptCall[];
  readonly connections: readonly (readonly string[])[];
  readonly status: number;
}

/** Scripts that exist wherever a driver of their kind exists: names of the contract (driver-protocol.md 7.2, 11.2, 15). */
const SCRIPTS = {
  vmm: ["deploy", "shutdown", "cancel", "save", "restore", "migrate", "reboot", "reset", "poll", "attach_disk", "detach_disk", "attach_nic", "detach_nic", "snapshot_create", "snapshot_revert", "snapshot_delete", "resize", "resize_disk", "prereconfigure", "reconfigure", "exec", "exec_cancel"],
  vnm: ["pre", "post", "clean", "update_sg", "update_nic"],
  tm: ["context", "clone", "delete", "ln", "mvds", "mkimage", "mkswap", "premigrate", "postmigrate", "failmigrate", "snap_create", "snap_create_live", "resize", "prebackup", "prebackup_live", "postbackup", "postbackup_live"],
  datastore: ["backup", "backup_cancel"],
} as const;

/** As shipped (driver-protocol.md 1.2, 16). */
const LIVE_SNAPSHOTS = {
  kvm: ["qcow2", "shared", "ceph", "ssh", "local", "lvm_thin", "lvm", "netapp", "purefa"],
  qemu: ["qcow2", "shared", "ceph", "ssh", "local", "netapp"],
  lxc: ["qcow2", "shared", "ceph", "ssh", "local", "lvm_thin", "lvm"],
} as const;
const EXECRC = `LIVE_DISK_SNAPSHOTS="${Object.entries(LIVE_SNAPSHOTS).flatMap(([vmm, tms]) => tms.map((tm) => `${vmm}-${tm}`)).join(" ")}"
VNMAD_LOCAL_ACTIONS="elastic-post elastic-clean"
`;
const EXECRC_5 = 'LIVE_DISK_SNAPSHOTS="kvm-qcow2 kvm-ceph"\n';

/** Runs one scenario. */
export async function replay(scenario: Scenario): Promise<Replay> {
  using world = new DriverWorld({ readsStdin: !scenario.name.includes("v5.") });
  const paths = new PathMap(world.root);
  furnish(world, scenario, paths);
  const driver = new DriverProcess(world, [scenario.arguments]);
  try {
    await converse(driver, world, scenario, paths);
    const status = await driver.exited;
    const connections = world.connections().map((words) => words.map((word) => paths.toRecorded(word)));
    return { lines: driver.lines.map((line) => paths.toRecorded(line)), calls: world.calls().map((call) => paths.call(call)), connections, status };
  } finally {
    driver.kill();
  }
}

function furnish(world: DriverWorld, scenario: Scenario, paths: PathMap): void {
  world.write("etc/vmm_exec/vmm_execrc", scenario.name.includes("v5.") ? EXECRC_5 : EXECRC);
  const absent = absentPaths(scenario);
  const late = lateScripts(scenario);
  for (const script of scriptNames(scenario)) {
    if (!absent.some((path) => `/var/lib/one/remotes/${script}`.startsWith(path))) world.script(script, { onHosts: !late(script) });
  }
  for (const { script, exit, stdout, stderr, sleep_s } of scenario.stubs) {
    world.behave(script, { ...(exit === undefined ? {} : { exit }), ...(stdout === undefined ? {} : { stdout }), ...(stderr === undefined ? {} : { stderr }), ...(sleep_s === undefined ? {} : { sleepSeconds: sleep_s }) });
  }
  for (const { file, text } of deploymentFiles(scenario)) world.write(paths.toWorld(file).slice(world.root.length + 1), text);
}

/** Everything that was called, and the complete set of every driver that is named. */
function scriptNames(scenario: Scenario): readonly string[] {
  const called = [...scenario.calls.map(({ path }) => relative(path)), ...scenario.stubs.map(({ script }) => script)];
  const drivers = new Set(["vmm/kvm", "vnm/bridge", "vnm/elastic", "tm/ssh", "datastore/restic", ...called.map((path) => path.split("/").slice(0, 2).join("/"))]);
  const complete = [...drivers].flatMap((driver) => (SCRIPTS[driver.split("/")[0] as keyof typeof SCRIPTS] ?? []).map((name) => `${driver}/${name}`));
  return [...new Set([...called, ...complete])];
}

function relative(path: string): string {
  return path.replace(/^\/var\/(?:lib\/one\/remotes|tmp\/one)\//, "");
}

/** What upstream said was not there. */
function absentPaths({ stdout }: Scenario): readonly string[] {
  return stdout.flatMap((line) => [
    ...[...line.matchAll(/(?:Driver path|nor) '([^']+)'/g)].map((found) => found[1] ?? ""),
    ...[...line.matchAll(/Transfer Driver '([^']+)' not/g)].map((found) => `/var/lib/one/remotes/tm/${found[1] ?? ""}/`),
    ...[...line.matchAll(/Datastore Driver '([^']+)' not/g)].map((found) => `/var/lib/one/remotes/datastore/${found[1] ?? ""}/`),
  ]);
}

/** Scripts that the host did not have at first: all but those called before the first copy, when there was a copy or the driver missed one. */
function lateScripts({ calls, copies, callsBeforeCopy, stdout }: Scenario): (script: string) => boolean {
  if (copies === 0 && !stdout.some((line) => line.includes("(exit code: 42): 'if [ -x"))) return () => false;
  const early = new Set(calls.slice(0, callsBeforeCopy).map(({ path }) => relative(path)));
  return (script) => !early.has(script);
}

/** Deployment files with the text that the script was recorded to read; a file that could not be opened is not there. */
function deploymentFiles(scenario: Scenario): readonly { readonly file: string; readonly text: string }[] {
  const read = scenario.calls.find(({ path }) => path.endsWith("/deploy"));
  const text = read ? (read.host === "LOCAL" ? Buffer.from(read.stdin, "base64").toString("utf8") : read.stdin.replace(/\n$/, "")) : "<domain><name>one-7</name></domain>\n";
  const files = scenario.stdin.flatMap((line) => messageTexts(line, "LOCAL_DEPLOYMENT_FILE")).filter((file) => /\/deployment\.\d+$/.test(file));
  return files.filter((file) => !scenario.stdout.some((line) => line.includes(`Cannot open deployment file ${file}`))).map((file) => ({ file, text }));
}

/** Texts of an element in the message of a request line. */
export function messageTexts(line: string, element: string): readonly string[] {
  const text = Buffer.from(/\S+$/.exec(line)?.[0] ?? "", "base64").toString("utf8");
  return [...text.matchAll(new RegExp(`<${element}>(?:<!\\[CDATA\\[)?([^<\\]]*)`, "g"))].map((found) => found[1] ?? "");
}

/** Texts of an element in the first message of a scenario. */
export function firstMessage(scenario: Scenario): (element: string) => readonly string[] {
  const line = scenario.stdin.find((each) => / PF\S+$/.test(each)) ?? "";
  return (element) => messageTexts(line, element);
}

/** Says the recorded lines: everything at once, but a cancel only when something runs, and FINALIZE when the answers are there. */
async function converse(driver: DriverProcess, world: DriverWorld, scenario: Scenario, paths: PathMap): Promise<void> {
  const last = scenario.stdin.lastIndexOf("FINALIZE");
  const results = expectedLines(scenario).lines.filter((line) => !/^(?:LOG|INIT) /.test(line)).length;
  for (const line of scenario.stdin.slice(0, last < 0 ? undefined : last)) {
    if (/^DRIVER_CANCEL/i.test(line)) await someStarted(driver, world);
    driver.send(`${paths.request(line)}\n`);
    if (line === "INIT") await driver.until("the answer to INIT", (lines) => lines.length > 0);
  }
  const inFlight = scenario.name.includes("finalize");
  if (!inFlight) await driver.waitForResults(results);
  driver.send("FINALIZE\n");
  if (!inFlight) driver.endInput();
}

/** Until a script was called, or all requests so far are answered: what is cancelled then is what was cancelled in the recording. */
async function someStarted(driver: DriverProcess, world: DriverWorld): Promise<void> {
  const end = performance.now() + 5000;
  while (world.calls().length === 0 && driver.results().length === 0 && performance.now() < end) await Bun.sleep(20);
}
