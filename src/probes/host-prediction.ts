import { quoted } from "../codec/attribute-text.ts";
import type { Context } from "../core/ports.ts";
import { forecastsOf, makeForecast } from "../monitor/forecasts.ts";
import { ratesOf, readSeriesSettings } from "../monitor/series.ts";
import type { ProbeRequest } from "./probe.ts";

/** Current rates of the host's network cards, and forecasts when the program for them is there (monitoring.md 9.2). */
export async function run({ hostId, hostName, configuration }: ProbeRequest, context: Context): Promise<string> {
  const owner = { kind: "host", id: hostId } as const;
  const forecasts = forecastsOf(owner, hostName, { ...readSeriesSettings("host", context), intervalSeconds: configuration.periods.MONITOR_HOST }, context);
  makeForecast(context);
  return [...forecasts, ...ratesOf(owner, ["NETRX", "NETTX"], context)].map(([name, value]) => `${name}=${quoted(value)}\n`).join("");
}
