import { DriverProcess } from "../fixtures/driver-process.ts";
import { DriverWorld } from "../fixtures/driver-world.ts";
import type { ScriptCall } from "../fixtures/driver-world.ts";
import { eventually, processesWith } from "../fixtures/driver-processes.ts";
import { converse } from "./driver-converse.ts";
import { execrcOf, isOld } from "./driver-front-end.ts";
import { PathMap } from "./driver-paths.ts";
import { documentOf, requestsOf, textsOf } from "./driver-requests.ts";
import type { Scenario } from "./driver-scenario.ts";

/** What our driver did with a recorded conversation, in the paths of the recording. */
export interface Replay {
  readonly lines: readonly string[];
  readonly calls: readonly ScriptCall[];
  readonly connections: readonly (readonly string[])[];
  readonly status: number;
  /** Processes that were there after the driver's end. */
  readonly left: readonly string[];
}

/** Scripts that exist wherever a driver of their kind exists: names of the contract (driver-protocol.md 7.2, 11.2, 15). */
const SCRIPTS = {
  vmm: ["deploy", "shutdown", "cancel", "save", "restore", "migrate", "reboot", "reset", "poll", "attach_disk", "detach_disk", "attach_nic", "detach_nic", "snapshot_create", "snapshot_revert", "snapshot_delete", "resize", "resize_disk", "prereconfigure", "reconfigure", "exec", "exec_cancel"],
  vnm: ["pre", "post", "clean", "update_sg", "update_nic"],
  tm: ["context", "clone", "delete", "ln", "mvds", "mkimage", "mkswap", "premigrate", "postmigrate", "failmigrate", "snap_create", "snap_create_live", "resize", "prebackup", "prebackup_live", "postbackup", "postbackup_live"],
  datastore: ["backup", "backup_cancel"],
} as const;

/** Runs one scenario. */
export async function replay(scenario: Scenario): Promise<Replay> {
  using world = new DriverWorld({ readsStdin: !isOld(scenario) });
  const paths = new PathMap(world.root);
  furnish(world, scenario, paths);
  const driver = new DriverProcess(world, [scenario.arguments]);
  try {
    await converse(driver, world, scenario, paths);
    const status = await driver.exited;
    const left = await leftOf(world);
    const connections = world.connections().map((words) => words.map((word) => paths.toRecorded(word)));
    return { lines: driver.lines.map((line) => paths.toRecorded(line)), calls: world.calls().map((call) => paths.call(call)), connections, status, left };
  } finally {
    driver.kill();
  }
}

/** Processes that outlive the driver, after the moment that a killed one takes to go. */
async function leftOf(world: DriverWorld): Promise<readonly string[]> {
  await eventually("no process is left", () => processesWith(world.root).length === 0).catch(() => undefined);
  return processesWith(world.root);
}

function furnish(world: DriverWorld, scenario: Scenario, paths: PathMap): void {
  world.write("etc/vmm_exec/vmm_execrc", execrcOf(scenario));
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

/** Deployment files, each with the text that its script was recorded to read; a file that could not be opened is not there. */
function deploymentFiles(scenario: Scenario): readonly { readonly file: string; readonly text: string }[] {
  const deploys = requestsOf(scenario).filter(({ action, fate }) => action === "DEPLOY" && fate !== "silent");
  return deploys.flatMap(({ line }) => {
    const [file = "", remote = ""] = ["LOCAL_DEPLOYMENT_FILE", "REMOTE_DEPLOYMENT_FILE"].map((element) => textsOf(documentOf(line), element)[0]);
    const isThere = file.startsWith("/var/lib/one/") && !scenario.stdout.some((each) => each.includes(`Cannot open deployment file ${file}`));
    return isThere ? [{ file, text: deploymentText(scenario, [file, remote]) }] : [];
  });
}

/** What the script was given that has one of these files as its first argument. */
function deploymentText({ calls }: Scenario, files: readonly string[]): string {
  const read = calls.find(({ path, arguments: [first = ""] }) => path.includes("/vmm/") && first !== "" && files.includes(first));
  if (!read) return "<domain><name>one-7</name></domain>\n";
  return read.host === "LOCAL" ? Buffer.from(read.stdin, "base64").toString("utf8") : read.stdin.replace(/\n$/, "");
}
