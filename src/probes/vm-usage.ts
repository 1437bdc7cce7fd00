import { quoted } from "../codec/attribute-text.ts";
import { decimal } from "../codec/decimal.ts";
import type { Context } from "../core/ports.ts";
import { guestAttributes } from "../monitor/guest-pass.ts";
import { forecastsOf, type ForecastWish, forgetForecasts, makeForecast } from "../monitor/forecasts.ts";
import { keepSeries, readSeriesSettings, type SeriesSettings } from "../monitor/series.ts";
import { type VmNumbers, vmNumbers } from "../monitor/vm-numbers.ts";
import type { ProbeRequest } from "./probe.ts";

/** Counters whose rates are reported, in upstream's order. */
const COUNTERS = ["NETRX", "NETTX", "DISKRDBYTES", "DISKWRBYTES", "DISKRDIOPS", "DISKWRIOPS"] as const;

type Pairs = readonly (readonly [name: string, value: string])[];

/** Use of processor, memory, network and disks of all VMs (monitoring.md 7.3), with what their guests tell. A QEMU or a guest that does not answer costs its own numbers only. */
export async function run({ configuration }: ProbeRequest, context: Context): Promise<string> {
  const vms = await vmNumbers(context);
  const guests = await guestAttributes(vms, context);
  const settings = { ...readSeriesSettings("virtualmachine", context), intervalSeconds: configuration.periods.MONITOR_VM };
  forgetForecasts("virtualmachine", new Set(vms.flatMap(({ id }) => id ?? [])), context);
  const text = vms.map((vm) => record(vm, describe(vm, guests.get(vm.uuid) ?? [], settings, context))).join("");
  makeForecast(context); // now that the points of all VMs are known
  return text;
}

function record({ id, uuid }: VmNumbers, pairs: Pairs): string {
  const text = pairs.map(([name, value]) => `${name}=${quoted(value)}\n`).join("");
  return `VM = [ ID="${id ?? -1}", DEPLOY_ID="${uuid}", MONITOR="${Buffer.from(text).toString("base64")}"]\n`;
}

/** A wild VM has its own two numbers, and no series. */
function describe(vm: VmNumbers, guest: Pairs, settings: SeriesSettings & ForecastWish, context: Context): Pairs {
  const numbers = Object.entries(vm.numbers).flatMap(([name, value]): Pairs => (value === undefined ? [] : [[name, typeof value === "number" && name === "CPU" ? decimal(value) : String(value)]]));
  if (vm.id === undefined) return numbers;
  const owner = { kind: "virtualmachine", id: vm.id } as const;
  const rates = keepSeries(owner, { ...vm.numbers, ...gpuNumbers(guest) }, COUNTERS, settings, context);
  return [...numbers, ...guest, ...forecastsOf(owner, vm.uuid, settings, context), ...rates];
}

/** Only numbers have series. */
function gpuNumbers(guest: Pairs): Readonly<Record<string, number>> {
  return Object.fromEntries(guest.filter(([name]) => name.startsWith("GPU_")).map(([name, value]) => [name, Number(value)]));
}
