import { join } from "node:path";
import { Agent } from "../agent/agent.ts";
import type { AgentWorld } from "../agent/ports.ts";
import { readMonitorConfiguration } from "../codec/monitor-configuration.ts";
import { decodeDocument } from "../codec/stdin-document.ts";
import { contextOf, readSettings, type Surroundings } from "../context.ts";
import type { Log } from "../core/ports.ts";
import { trimLog } from "../host/agent-log.ts";
import { HostFiles } from "../host/files.ts";
import { MonitorSocket } from "../host/monitor-socket.ts";
import type { AgentIdentity } from "../host/other-agents.ts";
import { giveCodeBack } from "../host/own-memory.ts";
import { endPrograms, probeFiles, runProbe } from "../host/probe-files.ts";
import { SeriesDatabases } from "../host/series.ts";
import { BufferedSeries } from "../host/series-buffer.ts";
import { AgentFiles } from "./agent-files.ts";
import { configurationFromStdin, surround } from "./agent-surroundings.ts";
import { after, every, isInForeground, isUpstreamWanted, lendThreads } from "./resident-process.ts";
import { Successor } from "./successor.ts";

/** systemd-tmpfiles removes what nobody has touched for long (monitoring.md 14). */
const KEEP_AGAIN_MS = 12 * 3600 * 1000;

/** How often is looked whether the executable was replaced, this agent is not wanted, or its log too long; SIGHUP makes it look at once. */
const LOOK_MS = 60_000;

/** The host's facts are asked for every ten minutes: a thread of libvirt takes 5 MiB meanwhile. */
const IDLE_SECONDS = 60;

/** By then each loop has had its passes, and what only a start needs will not be needed again. */
const SETTLED_MS = 45_000;

/** What is done once in a while need not stay in memory until the next time. */
const TIDY_MS = 60_000;

const STDERR = 2;

/** The agent itself: first answer on stdout, then loops until it is ended (monitoring.md 4.3). */
export async function runAgent(identity: AgentIdentity): Promise<number> {
  let agent: Agent | undefined;
  process.on("SIGUSR1", () => agent?.refreshSystem()); // before our pid can be read: a signal would end us
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  process.on("SIGTERM", end); // nothing that a pass is waiting for needs to be waited for
  let look = (): void => undefined; // a look before the first answer would leave nobody to give one
  process.on("SIGHUP", isInForeground() ? end : () => look());
  const text = decodeDocument(await configurationFromStdin(), "the monitoring configuration");
  const configuration = await readMonitorConfiguration(text, process.env.SSH_CLIENT);
  const surroundings = surround();
  const looking = looks(identity, text, surroundings.log, end);
  const files = new AgentFiles(text, configuration, new HostFiles(), surroundings.log);
  files.clearNames();
  files.keep();
  try {
    using contexts = await openContexts(surroundings);
    using socket = await MonitorSocket.open(configuration.address, configuration.port);
    using _resident = lendThreads(surroundings.log);
    agent = new Agent({ ...identity, configuration }, configuration, { transport: socket, filesOf: (category) => programs(identity, category, text), contextFor: contexts.contextFor });
    const answer = await Promise.race([agent.firstAnswer(), ended.then(() => undefined)]);
    if (answer === undefined) return 0;
    console.log(answer);
    (look = looking)();
    await report(agent, ended, [every(LOOK_MS, look), every(KEEP_AGAIN_MS, () => files.keep()), after(SETTLED_MS, () => giveCodeBack()), every(TIDY_MS, () => giveCodeBack())]);
    return 0;
  } finally {
    endPrograms();
    files.removePids();
  }
}

async function report(agent: Agent, ended: Promise<void>, timers: readonly ReturnType<typeof setInterval>[]): Promise<void> {
  await Promise.race([agent.run(), ended]);
  agent.stop();
  for (const timer of timers) clearInterval(timer);
}

/** One libvirt for all passes: a call that waits for a QEMU holds up its own thread only (spare-threads.ts). */
async function openContexts(surroundings: Surroundings): Promise<Pick<AgentWorld, "contextFor"> & Disposable> {
  const { settings } = await readSettings(surroundings);
  const series = new BufferedSeries(new SeriesDatabases());
  const context = contextOf(settings, surroundings, { readOnly: false, limitSeconds: null, idleSeconds: IDLE_SECONDS });
  return {
    contextFor: (seconds) => ({ ...context, series, deadline: context.deadline.within(seconds) }),
    [Symbol.dispose]: () => [series, context].forEach((each) => each[Symbol.dispose]()),
  };
}

/** What strangers put into the directories of probes. */
function programs({ tree, driver, hostId, hostName }: AgentIdentity, category: string, configuration: string) {
  const directory = join(tree, "im", `${driver}-probes.d`, category);
  return probeFiles(directory).map((file) => ({ file, run: () => runProbe([join(directory, file), driver, String(hostId), hostName], join(tree, "im", `${driver}.d`), configuration) }));
}

/** Looks at what may have changed. A new executable under our name: the next agent is started from it, and ends this one. */
function looks({ tree, driver, hostId, hostName }: AgentIdentity, configuration: string, log: Log, end: () => void): () => void {
  // What it complains of belongs into this one's log: its own begins with its agent.
  const start = () => Bun.spawn({ cmd: [process.execPath, "agent", "start", driver, String(hostId), hostName], stdin: Buffer.from(configuration), stdout: "ignore", stderr: "inherit", detached: true });
  const successor = new Successor(process.execPath, start, log);
  return () => {
    trimLog(STDERR);
    if (isUpstreamWanted(tree, driver, "monitord-client_control.sh")) return end();
    successor.look();
  };
}
