import { appendFileSync } from "node:fs";
import { setPriority, getPriority } from "node:os";
import { messageOf } from "../core/errors.ts";
import { Driver } from "../driver/driver.ts";
import { explain } from "../driver/dry-run.ts";
import { argumentsFor } from "../driver/launcher.ts";
import { parseOptions } from "../driver/options.ts";
import type { DriverOptions } from "../driver/options.ts";
import type { Recorder } from "../driver/ports.ts";
import { RemotesSync } from "../driver/remotes-sync.ts";
import type { DriverSettings } from "../driver/settings.ts";
import { Queue } from "../driver/queue.ts";
import { SessionShelf } from "../driver/session-shelf.ts";
import { Slots } from "../driver/slots.ts";
import { debugFile, environmentOf, priorityOf, settingsOf } from "../driver/start.ts";
import type { Environment } from "../driver/start.ts";
import { ChildProcesses } from "../host/child-process.ts";
import { frontEndFiles } from "../host/front-end.ts";
import { LineWriter, readLines } from "../host/line-channel.ts";
import { unblockSignals } from "../host/signals.ts";
import { systemTimers } from "../host/timers.ts";

/** For answers that nobody takes: oned kills a driver that is late. */
const LAST_WORDS_MS = 500;

const HELP = `Usage: onevirt driver [options] HYPERVISOR

oned's driver process: reads requests on stdin, answers on stdout. HYPERVISOR is a directory below remotes/vmm, for instance kvm.

  -t, --threads N      actions that work at once (15)
  -r, --retries N      more tries when a host cannot be reached, for actions of one script (0)
  -p, --parallel       several actions on one host at once
  -l, --local LIST     actions run on the front-end: action,action=script
  -d, --delegate LIST  actions that take the ssh agent along (migrate)
  -s, --shell SHELL    remote shell (bash)
  -w, --timeout S      seconds for each command, 0 for no limit (a generous limit for each kind of command)
  --dry-run            print the steps of the requests on stdin, and run nothing
  --trace FILE         record requests and steps, without secrets; the lines "request" can be given to --dry-run again

ONEVIRT_CONNECT_TIMEOUT sets the seconds in which a host must take the connection (10).`;

/** What upstream's driver returns when it cannot start. */
const CANNOT_START = 255;

/** The driver process of oned, under its own name or as `onevirt driver` (driver-protocol.md 1, 7). The exit status means nothing to oned. */
export async function driverMain(argv: readonly string[], name: string): Promise<number> {
  unblockSignals();
  const [first, called = "", ...rest] = argv;
  const words = first === "--called" ? argumentsFor(called, rest) : argumentsFor(name, argv);
  if (words.includes("--help") || words.includes("-h")) return help();
  try {
    const options = parseOptions(words);
    const environment = environmentOf(inherited(), frontEndFiles);
    const settings = settingsOf(options, environment, frontEndFiles);
    return options.dryRun ? await dryRun(settings) : await serve(settings, environment);
  } catch (error) {
    return refuse(messageOf(error));
  }
}

async function serve(settings: DriverSettings, environment: Environment): Promise<number> {
  const home = frontEndFiles.isDirectory(settings.places.home) ? settings.places.home : "/";
  bePatient(priorityOf(environment));
  surviveDefects(debugFile(settings.options, environment));
  const ending = { begun: new AbortController(), abandoned: new AbortController() };
  const output = new LineWriter(() => driver.finalize());
  const common = { settings, processes: new ChildProcesses(home, environment), frontEnd: frontEndFiles, timers: systemTimers };
  const queue = new Queue(settings.options);
  const driver = new Driver({
    ...common, output,
    queue, slots: new Slots(settings.options.threads), shelf: new SessionShelf((host) => queue.waitsFor(host), systemTimers),
    sync: new RemotesSync(settings, common.processes, frontEndFiles, systemTimers, ending.abandoned.signal),
    token: () => Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex"),
    recorder: recorderTo(settings.options),
    ending: ending.begun.signal,
  }, ending);
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => driver.abandon());
  void readLines((line) => driver.line(line)).then(() => driver.finalize(), () => driver.finalize());
  await driver.ended;
  await Promise.race([output.flush(), Bun.sleep(LAST_WORDS_MS)]);
  return 0;
}

async function dryRun(settings: DriverSettings): Promise<number> {
  const output = new LineWriter(() => process.exit(0));
  await readLines((line) => output.line(explain(line, settings, frontEndFiles)));
  await output.flush();
  return 0;
}

function help(): number {
  console.log(HELP);
  return 0;
}

/** oned gives stderr no home, so it hears the reason in place of the answer to INIT (driver-protocol.md 7). */
function refuse(reason: string): number {
  console.error(reason);
  console.log(`INIT FAILURE - ${reason.replace(/[\r\n]+/g, " ")}`);
  return CANNOT_START;
}

function inherited(): Environment {
  return Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** `nice -n PRIORITY` of upstream's wrapper: an increment, for the driver and all that it starts. */
function bePatient(increment: number): void {
  try {
    setPriority(Math.max(-20, Math.min(19, getPriority() + increment)));
  } catch {
    // Only root may become more urgent; the driver works as well without.
  }
}

/** A defect must not end the driver: oned would lose every action in flight (driver-protocol.md 2.3). It is written down when asked for. */
function surviveDefects(file: string | undefined): void {
  const note = (error: unknown): void => {
    if (file) quietly(() => appendFileSync(file, `${new Date().toISOString()} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`));
  };
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.removeAllListeners(event);
    process.on(event, note);
  }
}

/** Readable by the driver's user only: even without secrets it is a copy of the messages. */
function recorderTo({ traceFile }: DriverOptions): Recorder | undefined {
  if (traceFile === undefined) return undefined;
  return { record: (event) => quietly(() => appendFileSync(traceFile, `${JSON.stringify({ at: new Date().toISOString(), ...event })}\n`, { mode: 0o600 })) };
}

/** A full disk costs the record, never an action. */
function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // The reader of the record sees where it ends.
  }
}
