import { COLLECTD_USAGE, readCollectdArguments } from "../codec/collectd-arguments.ts";
import { readProbeConfiguration } from "../codec/monitor-configuration.ts";
import { contextOf, findTree, readGeneration, readSettings, type Surroundings } from "../context.ts";
import { Deadline } from "../core/deadline.ts";
import { ERRORS, messageOf, OnevirtError } from "../core/errors.ts";
import { DEFAULT_DATASTORE_LOCATION, DEFAULT_PERIODS } from "../core/monitor-configuration.ts";
import type { Context } from "../core/ports.ts";
import { logLine } from "../core/report.ts";
import { systemClock } from "../host/clock.ts";
import { openTracer } from "../host/trace.ts";
import type { Thread } from "../libvirt/worker-call.ts";
import type { Probe, ProbeRequest } from "../probes/probe.ts";
import { findProbe, probeFor, probes } from "../probes/table.ts";
import { stdinWithin } from "../stdin.ts";
import { borrowThread } from "../thread.ts";

const USAGE = `Usage: onevirt probe CATEGORY/NAME [DRIVER HOST_ID HOST_NAME]
       onevirt probe collectd/NAME [${COLLECTD_USAGE}]`;

/** A configuration is some kilobytes, and its sender closes its end at once. */
const STDIN_BYTES = 1024 * 1024;
const STDIN_SECONDS = 5;

/**
 * `onevirt probe CATEGORY/NAME [DRIVER HOST_ID HOST_NAME]`: what the agent would report, on stdout. Whoever names no host only looks:
 * nothing is kept, and probes that do more than report are refused. With a host it is the probe of another agent, configuration on stdin.
 */
export async function probeMain([name = "", ...host]: readonly string[]): Promise<number> {
  if (name === "" || name === "--help" || name === "-h") return listProbes();
  try {
    await Bun.write(Bun.stdout, await runProbe(name, host));
    return 0;
  } catch (error) {
    const hint = error instanceof OnevirtError && error.hint ? `\nHint: ${error.hint}.` : "";
    console.error(`Cannot run probe ${name}: ${messageOf(error)}.${hint}`);
    return error instanceof OnevirtError ? ERRORS[error.code].exit : 1;
  }
}

async function runProbe(name: string, host: readonly string[]): Promise<string> {
  const probe = getProbe(name);
  const looksOnly = host.length === 0;
  if (looksOnly && probe.effect) throw new OnevirtError("BAD_ARGUMENT", `it does more than report: ${probe.effect}`, { hint: "name driver, number and name of the host to run it as the agent does" });
  const request = looksOnly ? byHand() : probe.category === "collectd" ? byRunProbes(host) : await byAgent(host);
  const tree = findTree(process.env, process.execPath);
  const trace = process.env.ONEVIRT_TRACE;
  const surroundings: Surroundings = { tree, trace, tracer: openTracer(trace), thread: ahead(probe, trace), generation: readGeneration(tree), log: { log: (severity, text) => console.error(logLine(severity, name, text)) } };
  const { settings } = await readSettings(surroundings);
  using context = contextOf(settings, surroundings, { readOnly: false, limitSeconds: probe.limitSeconds });
  return await (await probe.load()).run(request, looksOnly ? onlyLooking(context) : context);
}

/** States are asked for often, and wait for libvirt only: its thread is made ready while this one reads code and configuration. */
function ahead({ category }: Probe, trace: string | undefined): Thread | undefined {
  if (category !== "vm/status") return undefined;
  const thread = borrowThread(process.env.ONEVIRT_RESIDENT);
  thread.postMessage({ prepare: true, trace });
  return thread;
}

/** By name, or by the file of a launcher. */
function getProbe(name: string): Probe {
  const end = name.lastIndexOf("/");
  const probe = findProbe(name) ?? probeFor(name.slice(0, end), name.slice(end + 1));
  if (!probe) throw new OnevirtError("BAD_ARGUMENT", `there is no probe ${JSON.stringify(name)}`, { hint: "onevirt probe lists them" });
  return probe;
}

function byHand(): ProbeRequest {
  return { driver: "kvm", hostId: -1, hostName: "localhost", configuration: { datastoreLocation: DEFAULT_DATASTORE_LOCATION, periods: DEFAULT_PERIODS } };
}

async function byAgent([driver = "", hostId = "", hostName = ""]: readonly string[]): Promise<ProbeRequest> {
  if ((driver !== "kvm" && driver !== "qemu") || !/^-?\d{1,9}$/.test(hostId) || hostName === "") throw new OnevirtError("BAD_ARGUMENT", "driver, number and name of the host are expected", { hint: USAGE });
  const text = process.stdin.isTTY ? "" : await stdinWithin(Deadline.after(STDIN_SECONDS, systemClock), "the configuration", STDIN_BYTES);
  return { driver, hostId: Number(hostId), hostName, configuration: text.trim() === "" ? byHand().configuration : await readProbeConfiguration(text) };
}

/** As run_probes of 5.x calls a probe. */
function byRunProbes(words: readonly string[]): ProbeRequest {
  const { driver, hostId, hostName, datastoreLocation } = readCollectdArguments(words);
  return { driver, hostId, hostName, configuration: { datastoreLocation, periods: DEFAULT_PERIODS } };
}

/** What an agent keeps between passes stays as it is. */
function onlyLooking(context: Context): Context {
  const { series, state } = context;
  return {
    ...context,
    series: { append: () => ({}), last: (owner, metric, count) => series.last(owner, metric, count), flush: () => undefined, removeUnused: () => undefined },
    state: { read: (name) => state.read(name), write: () => undefined },
  };
}

function listProbes(): number {
  const width = Math.max(...Object.keys(probes).map((name) => name.length)) + 2;
  console.log(`${USAGE}\n`);
  console.log(Object.entries(probes).map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}`).join("\n"));
  return 0;
}
