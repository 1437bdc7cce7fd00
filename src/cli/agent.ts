import { existsSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { Agent } from "../agent/agent.ts";
import type { AgentWorld } from "../agent/ports.ts";
import { readStatus } from "../agent/status.ts";
import { readMonitorConfiguration } from "../codec/monitor-configuration.ts";
import { contextOf, findTree, readGeneration, readSettings, type Surroundings } from "../context.ts";
import { messageOf, OnevirtError } from "../core/errors.ts";
import type { MonitorConfiguration } from "../core/monitor-configuration.ts";
import type { Log } from "../core/ports.ts";
import { logLine } from "../core/report.ts";
import { HostFiles } from "../host/files.ts";
import { MonitorSocket } from "../host/monitor-socket.ts";
import { agentMark, endAgents, otherAgents } from "../host/other-agents.ts";
import { probeFiles, runProbe } from "../host/probe-files.ts";
import type { ProbeRequest } from "../probes/probe.ts";
import { ResidentServer } from "../resident/server.ts";
import { residentSocket } from "../resident/socket-path.ts";
import { startThread } from "../thread.ts";

/** Where agents have always kept their files (monitoring.md 14). */
const ONE_DB = "/var/tmp/one_db";

/** The first answer must come within the driver's 90 s. */
const ANSWER_MS = 80_000;

/** systemd-tmpfiles removes what nobody has touched for long (monitoring.md 14). */
const KEEP_AGAIN_MS = 12 * 3600 * 1000;
const REPLACED_LOOK_MS = 60_000;

/** What the front-end expects of a start that failed. */
const CANNOT_START = 255;

/** With this file the agent of upstream is wanted: ours ends, and onemonitord starts the other when it hears nothing. */
const SWITCH = "/etc/onevirt/off";

const HELP = `Usage: onevirt agent COMMAND

The resident process that reports this host to onemonitord, and lends its libvirt threads to actions.

  start DRIVER HOST_ID HOST_NAME   start it, as run_monitord_client does: configuration on stdin, first answer on stdout
  run DRIVER HOST_ID HOST_NAME     the same in the foreground
  stop DRIVER HOST_ID HOST_NAME    end it, and upstream's agent too
  status [--json]                  loops, age of each report, messages sent and failed, events seen

DRIVER is kvm or qemu.`;

/** `onevirt agent …`, also as run_monitord_client and stop_monitord_client (monitoring.md 3). */
export async function agentMain(argv: readonly string[]): Promise<number> {
  const [command = "help", ...rest] = argv;
  try {
    switch (command) {
      case "start": return await start(whoIs(rest));
      case "run": return await run(whoIs(rest.at(0)?.startsWith("/") ? rest.slice(1) : rest));
      case "stop": return await stop(whoIs(rest));
      case "status": return await status(rest.includes("--json"));
      case "help": case "--help": case "-h": console.log(HELP); return 0;
      default: throw new OnevirtError("BAD_ARGUMENT", `there is no "onevirt agent ${command}"`, { hint: "onevirt agent --help" });
    }
  } catch (error) {
    console.error(error instanceof OnevirtError && error.hint ? `${error.message}\nHint: ${error.hint}.` : messageOf(error));
    return command === "status" || command === "stop" ? 1 : CANNOT_START;
  }
}

interface Identity {
  readonly driver: "kvm" | "qemu";
  readonly hostId: number;
  readonly hostName: string;
}

function whoIs([driver = "", hostId = "", hostName = ""]: readonly string[]): Identity {
  if (driver !== "kvm" && driver !== "qemu") throw new OnevirtError("BAD_ARGUMENT", `${JSON.stringify(driver)} is no driver of this agent`, { hint: "kvm or qemu" });
  if (!/^\d{1,9}$/.test(hostId) || hostName === "" || /[\s\p{Cc}]/u.test(hostName)) throw new OnevirtError("BAD_ARGUMENT", "the number and the name of the host are expected", { hint: "onevirt agent start kvm 0 host" });
  return { driver, hostId: Number(hostId), hostName };
}

/** Ends older agents, starts ours apart from this process, and passes its first answer on. */
async function start({ driver, hostId, hostName }: Identity): Promise<number> {
  const configuration = await Bun.stdin.text();
  const mark = agentMark(ownTree(), driver, hostId, hostName);
  await endAgents(mark);
  const log = openLog();
  // Its command line ends with the mark, so that upstream's control script can stop it after a way back.
  const child = Bun.spawn({ cmd: [process.execPath, "agent", "run", ...mark.split(" ")], env: { ...process.env }, stdin: Buffer.from(configuration), stdout: "pipe", stderr: log, detached: true });
  const answer = await Promise.race([firstLines(child.stdout), child.exited.then(() => ""), Bun.sleep(ANSWER_MS).then(() => "")]);
  if (answer !== "") {
    console.log(answer.trimEnd());
    child.unref();
    return 0;
  }
  child.kill("SIGKILL");
  throw new OnevirtError("NOT_DONE", `The agent gave no first answer: ${(new HostFiles().findText(join(ONE_DB, "agent.log")) ?? "").trim().split("\n").at(-1) ?? ""}`);
}

async function firstLines(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("</MONITOR_MESSAGES>")) return text;
  }
  return "";
}

async function run(identity: Identity): Promise<number> {
  const text = await Bun.stdin.text();
  const configuration = await readMonitorConfiguration(text, process.env.SSH_CLIENT);
  const surroundings = surround();
  const { settings } = await readSettings(surroundings);
  const open = () => contextOf(settings, surroundings, { readOnly: false, limitSeconds: null });
  // A call that waits for a QEMU holds its thread: states have a libvirt of their own, and so has the host.
  using states = open();
  using host = open();
  using vms = open();
  const contexts = { states, host, vms };
  keepForOthers(text, configuration, surroundings.log);
  using socket = await MonitorSocket.open(configuration.address, configuration.port);
  using _resident = lendThreads(surroundings.log);
  const request: ProbeRequest = { ...identity, configuration };
  const world: AgentWorld = {
    transport: socket,
    filesOf: (category) => programs(surroundings.tree, identity, category, text),
    contextFor: (category, seconds) => {
      const context = contexts[category === "vm/status" ? "states" : category.startsWith("host/") ? "host" : "vms"];
      return { ...context, deadline: context.deadline.within(seconds) };
    },
  };
  const agent = new Agent(request, configuration, world);
  process.on("SIGUSR1", () => agent.refreshSystem());
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  process.on("SIGTERM", end); // nothing that a pass is waiting for needs to be waited for
  console.log(await agent.firstAnswer());
  const isOff = () => existsSync(SWITCH) && existsSync(join(surroundings.tree, "im", `${identity.driver}.d`, "upstream-monitord-client_control.sh"));
  const timers = [every(REPLACED_LOOK_MS, () => void (isOff() && end())), watchExecutable(() => replace(identity, text)), every(KEEP_AGAIN_MS, () => keepForOthers(text, configuration, surroundings.log))];
  await Promise.race([agent.run(), ended]);
  agent.stop();
  for (const timer of timers) clearInterval(timer);
  return 0;
}

function programs(tree: string, { driver, hostId, hostName }: Identity, category: string, configuration: string) {
  const directory = join(tree, "im", `${driver}-probes.d`, category);
  return probeFiles(directory).map((file) => ({ file, run: () => runProbe([join(directory, file), driver, String(hostId), hostName], join(tree, "im", `${driver}.d`), configuration) }));
}

/** Actions borrow our libvirt threads; without that they start their own. */
function lendThreads(log: Log): Disposable {
  try {
    return new ResidentServer(residentSocket(process.env.ONEVIRT_RESIDENT), new HostFiles(), startThread);
  } catch (error) {
    log.log("WARN", `Actions cannot borrow the libvirt threads of the agent: ${messageOf(error)}`);
    return { [Symbol.dispose]: () => undefined };
  }
}

/** Files that other programs of the host read (monitoring.md 4.3, 8.5). A disk that is full or read-only is no reason not to report. */
function keepForOthers(text: string, { address, port, publicKey, periods }: MonitorConfiguration, log: Log): void {
  const files = new HostFiles();
  const names = ["BEACON_HOST", "SYSTEM_HOST", "MONITOR_HOST", "STATE_VM", "EXEC_VM", "MONITOR_VM"] as const;
  const lines = [
    "NETWORK = [", `    MONITOR_ADDRESS = "${address}",`, `    PORT            = ${port},`, `    PUBKEY          = "${(publicKey ?? "").trim()}",`, "]", "",
    "PROBES_PERIOD = [", ...names.map((name) => `    ${name.padEnd(14)} = ${periods[name]},`), "]", "",
  ];
  const keep = (name: string, content: string): void => {
    try {
      files.writeAtomic(join(ONE_DB, name), content, 0o640, { flush: false });
    } catch (error) {
      log.log("WARN", messageOf(error));
    }
  };
  keep("config", text);
  keep("etc/monitord.conf", lines.join("\n"));
  keep(".monitor_client.pid", String(process.pid));
}

/** A new executable under our name: the next agent is started from it, and ends this one. */
function watchExecutable(replaced: () => void): ReturnType<typeof setInterval> {
  const started = identityOf(process.execPath);
  return every(REPLACED_LOOK_MS, () => {
    const now = identityOf(process.execPath);
    if (now !== undefined && now !== started) replaced();
  });
}

function every(ms: number, work: () => void): ReturnType<typeof setInterval> {
  const timer = setInterval(work, ms);
  timer.unref();
  return timer;
}

function replace({ driver, hostId, hostName }: Identity, configuration: string): void {
  Bun.spawn({ cmd: [process.execPath, "agent", "start", driver, String(hostId), hostName], stdin: Buffer.from(configuration), stdout: "ignore", stderr: "ignore", detached: true }).unref();
}

function identityOf(path: string): string | undefined {
  try {
    const { ino, mtimeMs, size } = statSync(path);
    return `${ino} ${mtimeMs} ${size}`;
  } catch {
    return undefined;
  }
}

async function stop({ driver, hostId, hostName }: Identity): Promise<number> {
  await endAgents(agentMark(ownTree(), driver, hostId, hostName));
  return 0;
}

async function status(json: boolean): Promise<number> {
  const surroundings = surround();
  const { settings } = await readSettings(surroundings);
  const { state } = contextOf(settings, surroundings, { readOnly: true, limitSeconds: 5 });
  const known = readStatus(state);
  const runs = known !== undefined && otherAgents(agentMark(surroundings.tree, known.driver, known.hostId, known.hostName)).includes(known.pid);
  if (json) console.log(JSON.stringify({ running: runs, ...(known ?? {}) }, null, 2));
  else console.log(known ? describe(known, runs) : "No agent has run on this host.");
  return runs ? 0 : 1;
}

function describe(known: NonNullable<ReturnType<typeof readStatus>>, runs: boolean): string {
  const age = (seconds: number | undefined) => (seconds === undefined ? "never" : `${seconds} s ago`);
  return [
    `Agent of host ${known.hostId} (${known.hostName}, ${known.driver}), process ${known.pid}: ${runs ? (known.healthy ? "runs" : "runs, but a loop stands still") : "does not run"}`,
    `As of ${known.writtenAt}: ${known.messages.sent} messages sent, ${known.messages.failed} failed; ${known.events} events, ${known.listening ? "listening" : "not listening"}`,
    ...(known.states === "processes" ? ["libvirt does not answer: states come from processes and pid files"] : []),
    ...(known.quarantined.length > 0 ? [`Not asked for statistics, because their QEMU did not answer: ${known.quarantined.join(", ")}`] : []),
    ...known.loops.map(({ category, periodSeconds, ageSeconds, lastProblem }) => `  ${category.padEnd(14)} every ${String(periodSeconds).padStart(4)} s, last ${age(ageSeconds)}${lastProblem ? `; ${lastProblem}` : ""}`),
  ].join("\n");
}

function surround(): Surroundings {
  const tree = ownTree();
  return { tree, trace: undefined, tracer: undefined, generation: readGeneration(tree), log: { log: (severity, text) => console.error(`${new Date().toISOString()} ${logLine(severity, "agent", text)}`) } };
}

function ownTree(): string {
  return findTree(process.env, process.execPath);
}

/** Where the agent complains; nowhere, when /var/tmp takes no file. */
function openLog(): number | "ignore" {
  try {
    new HostFiles().makeDirectory(ONE_DB, 0o755);
    return openSync(join(ONE_DB, "agent.log"), "w", 0o640);
  } catch {
    return "ignore";
  }
}
