import { Deadline } from "../core/deadline.ts";
import { messageOf } from "../core/errors.ts";
import type { Context, SeriesOwner } from "../core/ports.ts";

/** Where tools of OpenNebula look for time series: the program reads them there. */
const SERIES_DIRECTORY = "/var/tmp/one_db";

/** The program takes most of a second of processor: so long is waited after the start of one for the next. */
const PAUSE_MS = 30_000;

/** How old a forecast may be: after that its future is past. A new one is asked for well before. */
const RENEW_MS = 5 * 60 * 1000;
const VALID_MS = 15 * 60 * 1000;
const RUN_SECONDS = 60;

/** What the program may print. */
const LINE = /^([A-Z_]+_FORECAST(?:_FAR)?)="(-?\d+(?:\.\d+)?)"$/;

type Ports = Pick<Context, "commands" | "clock" | "files" | "tree" | "log">;

interface Forecast {
  readonly at: number;
  readonly values: readonly (readonly [string, string])[];
}

/** Forecasts by owner, and when the program ran last: one at a time in this process. */
const known = new Map<string, Forecast>();
let running = false;
let lastStart = Number.NEGATIVE_INFINITY;

/**
 * The newest forecasts of an owner, from a run that has ended (monitoring.md 9.2). Asking for them starts a run when one is due: it
 * goes on beside the monitoring and is never waited for. Without the program, or the Python that it needs, there are none.
 */
export function forecastsOf(owner: SeriesOwner, uuid: string, ports: Ports): Forecast["values"] {
  const key = `${owner.kind},${owner.id}`;
  const forecast = known.get(key);
  const now = ports.clock.monotonicMs();
  if (forecast === undefined || now - forecast.at > RENEW_MS) void start(key, uuid, now, ports);
  return forecast !== undefined && now - forecast.at <= VALID_MS ? forecast.values : [];
}

/** Owners that are gone are forgotten. */
export function forgetForecasts(kind: SeriesOwner["kind"], ids: ReadonlySet<number>): void {
  for (const key of known.keys()) if (key.startsWith(`${kind},`) && !ids.has(Number(key.split(",")[1]))) known.delete(key);
}

async function start(key: string, uuid: string, now: number, { commands, clock, files, tree, log }: Ports): Promise<void> {
  const program = `${tree}/im/lib/python/prediction.sh`;
  if (running || now - lastStart < PAUSE_MS) return;
  lastStart = now; // where there is no program, it is not looked for once for each VM
  if (files.kind(program) === undefined) return;
  running = true;
  try {
    const { stdout } = await commands.run([program, "--entity", `${key},${uuid},${SERIES_DIRECTORY}`], Deadline.after(RUN_SECONDS, clock));
    known.set(key, { at: now, values: stdout.split("\n").flatMap((line) => asValue(line.trim())) });
  } catch (error) {
    known.set(key, { at: now, values: [] });
    log.log("WARN", `No forecasts of ${key}: ${messageOf(error)}`);
  } finally {
    running = false;
  }
}

function asValue(line: string): Forecast["values"] {
  const [, name, value] = LINE.exec(line) ?? [];
  return name === undefined || value === undefined ? [] : [[name, value]];
}
