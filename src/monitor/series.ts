import { decimal } from "../codec/decimal.ts";
import { parseProbeSettings } from "../codec/probe-settings.ts";
import { messageOf } from "../core/errors.ts";
import type { Context, SeriesOwner, SeriesPoint } from "../core/ports.ts";

const WEEK_SECONDS = 7 * 86_400;
const DEFAULT_WEEKS = 4;

type Ports = Pick<Context, "series" | "files" | "tree" | "clock" | "log">;

/** What forecast.conf says of hosts or VMs (monitoring.md 8.4). */
export interface SeriesSettings {
  readonly keepSeconds: number;
  /** Whether forecasts of the next minutes are wanted. */
  readonly near: boolean;
  /** How far ahead others look, which are made once in this time; undefined when none are wanted. */
  readonly farSeconds: number | undefined;
}

/** The program's own defaults, in minutes. */
const DEFAULT_PERIOD = 15;
const DEFAULTS: SeriesSettings = { keepSeconds: DEFAULT_WEEKS * WEEK_SECONDS, near: true, farSeconds: DEFAULT_PERIOD * 60 };

/** Reads forecast.conf. One that is missing or cannot be read means the program's own defaults. */
export function readSeriesSettings(kind: SeriesOwner["kind"], { files, tree, log }: Pick<Ports, "files" | "tree" | "log">): SeriesSettings {
  const path = `${tree}/etc/im/kvm-probes.d/forecast.conf`;
  try {
    const text = files.findText(path, 1024 * 1024);
    const { db_retention: weeks, forecast, forecast_far: far } = (text === undefined ? {} : (parseProbeSettings(text, path)[kind] ?? {})) as { db_retention?: unknown; forecast?: Section; forecast_far?: Section };
    const farSeconds = (Number(far?.period) > 0 ? Number(far?.period) : DEFAULT_PERIOD) * 60;
    return { keepSeconds: (Number(weeks) > 0 ? Number(weeks) : DEFAULT_WEEKS) * WEEK_SECONDS, near: isOn(forecast), farSeconds: isOn(far) ? farSeconds : undefined };
  } catch (error) {
    log.log("WARN", messageOf(error));
    return DEFAULTS;
  }
}

type Section = { readonly enabled?: unknown; readonly period?: unknown } | null | undefined;

/** Python's YAML is of version 1.1, where these words are no text. */
function isOn(section: Section): boolean {
  return !/^(false|no|off|n)$/i.test(String(section?.enabled ?? true));
}

/**
 * Keeps the numbers of a pass, and gives the rates of its counters, per second since the last pass, as `NAME_BW` (monitoring.md 9.2):
 * those that were known before. That it cannot keep them costs forecasts and rates, never the numbers.
 */
export function keepSeries(owner: SeriesOwner, values: Readonly<Record<string, number | bigint | undefined>>, counters: readonly string[], { keepSeconds }: SeriesSettings, { series, clock, log }: Pick<Ports, "series" | "clock" | "log">): Rates {
  const known = Object.entries(values).flatMap(([name, value]): [string, number][] => (value === undefined ? [] : [[name, Number(value)]]));
  const at = Math.floor(clock.nowMs() / 1000);
  try {
    const before = series.append(owner, Object.fromEntries(known.map(([name, value]) => [metricOf(name), value])), at, keepSeconds);
    return counters.flatMap((name) => {
      const [last, value] = [before[metricOf(name)], values[name]];
      return rateLine(name, last === undefined || value === undefined ? undefined : rateOf(last, { at, value: Number(value) }));
    });
  } catch (error) {
    log.log("WARN", `The series are not kept: ${messageOf(error)}`);
    return [];
  }
}

/** Rates of counters that another probe has kept. */
export function ratesOf(owner: SeriesOwner, counters: readonly string[], { series, log }: Pick<Ports, "series" | "log">): Rates {
  try {
    return counters.flatMap((name) => {
      const [before, now] = series.last(owner, metricOf(name), 2);
      return rateLine(name, before && now && rateOf(before, now));
    });
  } catch (error) {
    log.log("WARN", `Rates are left out: ${messageOf(error)}`);
    return [];
  }
}

/** Attributes and their values. */
export type Rates = readonly (readonly [name: string, value: string])[];

/** Names of series have no underscores. */
function metricOf(name: string): string {
  return name.toLowerCase().replaceAll("_", "");
}

function rateLine(name: string, rate: number | undefined): Rates {
  return rate === undefined ? [] : [[`${name}_BW`, decimal(rate)]];
}

/** A counter that is lower than before has begun anew: what it shows has come since. */
export function rateOf(before: SeriesPoint, now: SeriesPoint): number | undefined {
  if (now.at <= before.at) return undefined;
  return (now.value >= before.value ? now.value - before.value : now.value) / (now.at - before.at);
}
