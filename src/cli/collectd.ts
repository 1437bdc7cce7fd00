import { statSync } from "node:fs";
import { join } from "node:path";
import { CollectdClient } from "../agent/collectd-client.ts";
import type { ForeignProbe } from "../agent/ports.ts";
import { type CollectdArguments, COLLECTD_USAGE, readCollectdArguments } from "../codec/collectd-arguments.ts";
import { contextOf, readSettings } from "../context.ts";
import { buildInfo } from "../core/build-info.ts";
import { messageOf, OnevirtError } from "../core/errors.ts";
import { DEFAULT_PERIODS } from "../core/monitor-configuration.ts";
import type { Log } from "../core/ports.ts";
import { openLog, trimLog } from "../host/agent-log.ts";
import { HostFiles } from "../host/files.ts";
import { MonitorSocket } from "../host/monitor-socket.ts";
import { clientProgram, endClients } from "../host/other-clients.ts";
import { ownCopy } from "../host/own-copy.ts";
import { endPrograms, probeFiles, runProbe } from "../host/probe-files.ts";
import { ONE_DB } from "./agent-files.ts";
import { ownTree, surround } from "./agent-surroundings.ts";
import { every, foreigners, isUpstreamWanted, lendThreads, turn } from "./resident-process.ts";

/** Where upstream's control looks for the client, and where it is sent SIGHUP from (monitoring.md 11.1). */
const PID_FILE = "/tmp/one-collectd-client.pid";
const LOG = join(ONE_DB, "collectd-client.log");

/** The driver waits 90 s for the first answer. */
const ANSWER_MS = 80_000;
const LOOK_MS = 2000;
const CANNOT_START = 255;
const STDERR = 2;

type Child = Bun.Subprocess<"ignore", "pipe", number | "ignore">;

/** Ends the first answer between our two processes; no report holds it. */
const END = "\0";

const HELP = `Usage: onevirt collectd COMMAND

The resident process that reports this host to the collectd of an OpenNebula 5.x front-end. run_probes and stop_probes
call it as im/kvm.d/collectd-client_control.sh.

  start ${COLLECTD_USAGE}
        start it in the place of any other client, upstream's too; what all probes say goes to stdout
  run ${COLLECTD_USAGE}
        the same in the foreground
  stop  end it, or upstream's client

DRIVER is kvm or qemu. Reports go to the first word of SSH_CLIENT, by UDP, every SECONDS; without SSH_CLIENT nothing
stays behind, and the front-end asks again. SIGHUP sends a report at once. It ends when .update of the tree changes, as
upstream's does: the front-end then starts the new one. It logs to ${LOG}.`;

/** `onevirt collectd …`, also as the control of the client in a tree of 5.x. */
export async function collectdMain(argv: readonly string[]): Promise<number> {
  const [command = "help", ...rest] = argv;
  try {
    switch (command) {
      case "start": return await start(readCollectdArguments(rest));
      case "run": return await run(readCollectdArguments(rest[0]?.endsWith("/collectd-client.rb") ? rest.slice(1) : rest));
      case "stop": return await stop();
      case "help": case "--help": case "-h": console.log(HELP); return 0;
      default: throw new OnevirtError("BAD_ARGUMENT", `there is no "onevirt collectd ${command}"`, { hint: "onevirt collectd --help" });
    }
  } catch (error) {
    console.error(error instanceof OnevirtError && error.hint ? `${error.message}\nHint: ${error.hint}.` : messageOf(error));
    return command === "stop" ? 1 : CANNOT_START;
  }
}

/** Ends other clients, starts ours apart from this process, and passes its first answer on. */
async function start(args: CollectdArguments): Promise<number> {
  const child = await replaceClients(args);
  const answer = await Promise.race([firstAnswer(child.stdout), Bun.sleep(ANSWER_MS).then(() => undefined)]);
  if (answer !== undefined) {
    await Bun.write(Bun.stdout, answer);
    child.unref();
    return 0;
  }
  child.kill("SIGKILL");
  throw new OnevirtError("NOT_DONE", `The client gave no first answer: ${(new HostFiles().findText(LOG) ?? "").trim().split("\n").at(-1) ?? ""}`);
}

async function replaceClients({ driver, datastoreLocation, port, intervalSeconds, hostId, hostName }: CollectdArguments): Promise<Child> {
  const tree = ownTree();
  using _turn = await turn(".collectd-client.lock");
  const left = foreigners(await endClients(tree, PID_FILE));
  if (left) console.error(left.message); // two reports of a host are better than none
  // Its command line is as upstream's control and shepherd look for it.
  const words = [clientProgram(tree, driver), driver, datastoreLocation, port, intervalSeconds, hostId, hostName].map(String);
  return Bun.spawn({ cmd: [programOutside(), "collectd", "run", ...words], env: { ...process.env, ONEVIRT_TREE: tree }, stdin: "ignore", stdout: "pipe", stderr: openLog(LOG), detached: true });
}

/** Undefined when the client ends before it has said everything. */
async function firstAnswer(stream: ReadableStream<Uint8Array>): Promise<string | undefined> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes(END)) return text.slice(0, text.indexOf(END));
  }
  return undefined;
}

/** Where no copy can be made, the tree's own file runs; only scp suffers. */
function programOutside(): string {
  if (buildInfo.buildId === "sources") return process.execPath;
  try {
    return ownCopy(process.execPath, join(ONE_DB, "program"), `onevirt-${buildInfo.buildId}`);
  } catch {
    return process.execPath;
  }
}

async function run(args: CollectdArguments): Promise<number> {
  const surroundings = surround("collectd-client");
  const { log, tree } = surroundings;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let refresh = (): void => undefined;
  process.on("SIGTERM", () => end());
  process.on("SIGHUP", () => refresh()); // before anybody can know our pid
  const before = updatedAt(tree);
  const { settings } = await readSettings(surroundings);
  using context = contextOf(settings, surroundings, { readOnly: false, limitSeconds: null });
  using socket = await openSocket(args.port, log);
  using _resident = lendThreads(log);
  const client = new CollectdClient({ driver: args.driver, hostId: args.hostId, hostName: args.hostName, configuration: { datastoreLocation: args.datastoreLocation, periods: DEFAULT_PERIODS } }, args.intervalSeconds, {
    transport: socket,
    filesOf: () => programs(tree, args),
    contextFor: (seconds) => ({ ...context, deadline: context.deadline.within(seconds) }),
  });
  refresh = () => client.sendNow();
  const forget = socket.stays ? keepPid(log) : () => undefined;
  await Bun.write(Bun.stdout, (await client.firstAnswer()).replaceAll(END, " ") + END);
  const isOver = () => updatedAt(tree) !== before || isUpstreamWanted(tree, args.driver, "collectd-client_control.sh");
  const timer = every(LOOK_MS, () => (trimLog(STDERR), void (isOver() && end())));
  if (socket.stays) await Promise.race([client.run(Math.random()), ended]);
  client.stop();
  clearInterval(timer);
  endPrograms();
  forget();
  return 0;
}

/** The way to the front-end that has called; without one there is nobody to report to. */
async function openSocket(port: number, log: Log) {
  const address = process.env.SSH_CLIENT?.trim().split(/\s+/)[0]?.replace(/^::ffff:(?=\d+\.)/, "");
  if (address) {
    const socket = await MonitorSocket.open(address, port);
    return { stays: true, udp: (message: string) => socket.udp(message), tcp: (message: string) => socket.tcp(message), [Symbol.dispose]: () => socket[Symbol.dispose]() };
  }
  log.log("WARN", "SSH_CLIENT is not known, so nobody is reported to");
  const nobody = () => Promise.reject(new Error("there is nobody to report to"));
  return { stays: false, udp: nobody, tcp: nobody, [Symbol.dispose]: () => undefined };
}

/** The probes of the tree, with the arguments that run_probes gives them. */
function programs(tree: string, { driver, datastoreLocation, port, intervalSeconds, hostId, hostName }: CollectdArguments): readonly ForeignProbe[] {
  const directory = join(tree, "im", `${driver}-probes.d`);
  const words = [`${driver}-probes`, datastoreLocation, port, intervalSeconds, hostId, hostName].map(String);
  // What package managers leave behind is no probe (run_probes of 5.10).
  return probeFiles(directory).filter((file) => !/\.(rpmnew|rpmsave|dpkg-\w+)$/.test(file)).map((file) => ({ file, run: () => runProbe([join(directory, file), ...words], directory, "") }));
}

/** Whoever sends SIGHUP, and upstream's control, look for the pid here. What somebody else has put there cannot be helped. */
function keepPid(log: Log): () => void {
  const files = new HostFiles();
  try {
    files.writeAtomic(PID_FILE, `${process.pid}\n`, 0o644, { flush: false });
  } catch (error) {
    log.log("WARN", messageOf(error));
  }
  return () => void (pidIn(files) === process.pid && files.remove(PID_FILE));
}

function pidIn(files: HostFiles): number | undefined {
  try {
    return Number(files.findText(PID_FILE, 64)?.trim());
  } catch {
    return undefined; // it is none
  }
}

function updatedAt(tree: string): number | undefined {
  return statSync(join(tree, ".update"), { throwIfNoEntry: false })?.mtimeMs;
}

async function stop(): Promise<number> {
  const left = foreigners(await endClients(ownTree(), PID_FILE));
  if (left) throw left;
  new HostFiles().remove(PID_FILE);
  return 0;
}
