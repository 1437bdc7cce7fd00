import { Deadline } from "../core/deadline.ts";
import { messageOf } from "../core/errors.ts";
import type { Commands, Context, SeriesOwner } from "../core/ports.ts";
import type { SeriesSettings } from "./series.ts";

/** Where tools of OpenNebula look for time series: the program reads them there. */
const SERIES_DIRECTORY = "/var/tmp/one_db";

/** The program takes most of a second of processor, so it is started for one owner in half a minute; less, because passes are never as regular as that. */
const PAUSE_MS = 25_000;

/** How old a forecast may be: after that its future is past. A new one is asked for well before. */
const RENEW_MS = 5 * 60 * 1000;
const VALID_MS = 15 * 60 * 1000;
const RUN_SECONDS = 60;

/** The program looks at the clock when Python has been loaded. */
const LOADING_MS = 500;

/** What the program may print. */
const LINE = /^([A-Z_]+_FORECAST(?:_FAR)?)="(-?\d+(?:\.\d+)?)"$/;

type Ports = Pick<Context, "commands" | "clock" | "files" | "tree" | "log" | "series">;

/** Attributes and their values. */
export type Forecasts = readonly (readonly [name: string, value: string])[];

/** What forecast.conf wants of an owner, and the seconds between its points. */
export interface ForecastWish extends Pick<SeriesSettings, "near" | "farSeconds"> {
  readonly intervalSeconds: number;
}

/** One whose forecasts are asked for. Times are monotonic ms. */
interface Candidate {
  readonly owner: SeriesOwner;
  readonly uuid: string;
  readonly wish: ForecastWish;
  readonly askedAt: number;
  /** Since it came, or had its last turn. */
  readonly waitsSince: number;
  readonly hadTurn: boolean;
  /** The slot of far forecasts in which it had a turn last. */
  readonly farSlot: number | undefined;
  readonly values: ReadonlyMap<string, { readonly value: string; readonly at: number }>;
}

/** All that ask, hosts and VMs in one queue, whoever has waited longest first; the program runs once at a time. */
interface Queue {
  readonly candidates: Map<string, Candidate>;
  running: boolean;
  lastStart: number;
  /** What was wrong the last time: it is said once, not for each VM. */
  problem: string;
}

const queues = new WeakMap<Commands, Queue>();

/**
 * The newest forecasts of an owner, from runs that have ended (monitoring.md 9.2). Asking for them puts the owner into the queue; there are
 * none without the program, or the Python that it needs.
 */
export function forecastsOf(owner: SeriesOwner, uuid: string, wish: ForecastWish, { commands, clock }: Pick<Ports, "commands" | "clock">): Forecasts {
  const { candidates } = queueOf(commands);
  const now = clock.monotonicMs();
  const { waitsSince = now, hadTurn = false, farSlot, values = new Map() }: Partial<Candidate> = candidates.get(keyOf(owner)) ?? {};
  candidates.set(keyOf(owner), { owner, uuid, wish, askedAt: now, waitsSince, hadTurn, farSlot, values });
  return [...values].flatMap(([name, { value, at }]) => (now - at <= VALID_MS ? [[name, value] as const] : []));
}

/** Owners that are gone are forgotten. */
export function forgetForecasts(kind: SeriesOwner["kind"], ids: ReadonlySet<number>, { commands }: Pick<Ports, "commands">): void {
  const { candidates } = queueOf(commands);
  for (const [key, { owner }] of candidates) if (owner.kind === kind && !ids.has(owner.id)) candidates.delete(key);
}

/** Starts the program for whoever's turn it is, when one is due. It goes on beside the monitoring and is never waited for. */
export function makeForecast(ports: Ports): void {
  const queue = queueOf(ports.commands);
  const now = ports.clock.monotonicMs();
  if (queue.running || now - queue.lastStart < PAUSE_MS) return;
  const next = nextOf([...queue.candidates.values()], now, ports.clock.nowMs());
  const program = `${ports.tree}/im/lib/python/prediction.sh`;
  if (next === undefined || ports.files.kind(program) === undefined) return;
  queue.lastStart = now;
  queue.candidates.delete(keyOf(next.owner)); // to the end of the queue
  queue.candidates.set(keyOf(next.owner), { ...next, waitsSince: now, hadTurn: true, farSlot: farSlotOf(next, ports.clock.nowMs()) });
  void run(program, next, queue, ports);
}

/** Whoever is in its slot for far forecasts goes first, because that comes once in a period of days; but not before one that was due two rounds ago. */
function nextOf(all: readonly Candidate[], now: number, nowMs: number): Candidate | undefined {
  const asking = all.filter(({ askedAt }) => now - askedAt <= VALID_MS).toSorted((a, b) => a.waitsSince - b.waitsSince);
  const inSlot = asking.filter((each) => isInNewSlot(each, nowMs));
  const first = asking.find((each) => inSlot.includes(each) || isDue(each, now));
  return first === undefined || now - first.waitsSince > RENEW_MS + 2 * asking.length * PAUSE_MS ? first : (inSlot[0] ?? first);
}

function isDue({ wish, hadTurn, waitsSince }: Candidate, now: number): boolean {
  return wish.near && (!hadTurn || now - waitsSince > RENEW_MS);
}

function isInNewSlot(candidate: Candidate, nowMs: number): boolean {
  const slot = farSlotOf(candidate, nowMs);
  return slot !== undefined && slot !== candidate.farSlot;
}

/** The number of the interval when it is one in which the program makes far forecasts of this owner (monitoring.md 9.2). */
function farSlotOf({ owner, wish: { farSeconds, intervalSeconds } }: Candidate, nowMs: number): number | undefined {
  if (farSeconds === undefined) return undefined;
  const slots = Math.max(1, Math.floor(farSeconds / intervalSeconds));
  const slot = Math.floor((nowMs + LOADING_MS) / 1000 / intervalSeconds);
  return slot % slots === owner.id % slots ? slot : undefined;
}

/** What it does not tell this time stays as long as it is valid. */
async function run(program: string, { owner, uuid }: Candidate, queue: Queue, { commands, clock, log, series }: Ports): Promise<void> {
  const at = clock.monotonicMs();
  queue.running = true;
  try {
    series.flush(owner);
    const { exitCode, stdout, stderr } = await commands.run([program, "--entity", `${keyOf(owner)},${uuid},${SERIES_DIRECTORY}`], Deadline.after(RUN_SECONDS, clock));
    if (exitCode !== 0) throw new Error(`${program} ended with ${exitCode}: ${stderr.trim().slice(0, 200)}`);
    const told = stdout.split("\n").flatMap((line) => asValue(line.trim()));
    const candidate = queue.candidates.get(keyOf(owner));
    if (candidate) queue.candidates.set(keyOf(owner), { ...candidate, values: new Map([...candidate.values, ...told.map(([name, value]) => [name, { value, at }] as const)]) });
    queue.problem = "";
  } catch (error) {
    const problem = messageOf(error);
    if (problem !== queue.problem) log.log("WARN", `No forecasts of ${keyOf(owner)}: ${problem}`);
    queue.problem = problem;
  } finally {
    queue.running = false;
  }
}

function asValue(line: string): Forecasts {
  const [, name, value] = LINE.exec(line) ?? [];
  return name === undefined || value === undefined ? [] : [[name, value]];
}

function keyOf({ kind, id }: SeriesOwner): string {
  return `${kind},${id}`;
}

function queueOf(commands: Commands): Queue {
  const queue = queues.get(commands) ?? { candidates: new Map(), running: false, lastStart: Number.NEGATIVE_INFINITY, problem: "" };
  queues.set(commands, queue);
  return queue;
}
