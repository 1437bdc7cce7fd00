import type { Deadline } from "../core/deadline.ts";
import { decimal } from "../codec/decimal.ts";
import { returnOf } from "../codec/guest-commands.ts";
import { messageOf } from "../core/errors.ts";
import type { Clock, Files, Hypervisor, Log } from "../core/ports.ts";
import { DEVICES, pciDevices } from "./pci-inventory.ts";

const NVIDIA = "10de";
const METADATA = "http://opennebula.org/xmlns/libvirt/1.0";
const QUERY = "nvidia-smi --query-gpu=gpu_uuid,utilization.gpu,utilization.memory,power.draw,memory.free --format=csv,noheader,nounits";
const ASK_SECONDS = 3;
const LOOKS = 10;
const LOOK_MS = 200;

/** Averages and sums over the GPUs of one guest (monitoring.md 7.6). */
export interface GpuMetrics {
  readonly utilization: number;
  readonly memoryUtilization: number;
  readonly memoryFree: number;
  readonly power: number;
  readonly count: number;
}

/** The devices that were looked at last, as one text, and whether a card was among them. Every pass asks, and a host has hundreds. */
const looked = new WeakMap<Files, { readonly names: string; readonly hasCard: boolean }>();

/** Whether this host has a card that a guest could have: without one, no guest is asked. A card comes and goes with its name. */
export function hasNvidiaDevice(files: Files): boolean {
  const names = files.names(DEVICES).join();
  const last = looked.get(files);
  if (last?.names === names) return last.hasCard;
  const hasCard = pciDevices(files).some(({ vendor }) => vendor === NVIDIA);
  looked.set(files, { names, hasCard });
  return hasCard;
}

/** Whether OpenNebula gave an NVIDIA device to this VM, by the metadata of its domain. */
export async function hasNvidiaGpu(uuid: string, hypervisor: Hypervisor, deadline: Deadline): Promise<boolean> {
  const metadata = (await hypervisor.metadata(uuid, METADATA, deadline)) ?? "";
  const devices = /<(?:\w+:)?pci_devices>(?:<!\[CDATA\[)?([^<\]]*)/.exec(metadata)?.[1] ?? "";
  return devices.split(",").some((device) => new RegExp(`^${NVIDIA}:[^:]+:[^:]+$`).test(device.trim()));
}

/** Asks the guest's own nvidia-smi; undefined when it does not tell. */
export async function gpuMetrics(uuid: string, { hypervisor, clock, log }: { readonly hypervisor: Hypervisor; readonly clock: Clock; readonly log: Log }, deadline: Deadline): Promise<GpuMetrics | undefined> {
  const ask = async (question: object) => returnOf(await hypervisor.guest.command(uuid, JSON.stringify(question), deadline.within(ASK_SECONDS))) as Readonly<Record<string, unknown>>;
  try {
    const { pid } = await ask({ execute: "guest-exec", arguments: { path: "/bin/sh", arg: ["-c", QUERY], "capture-output": true } });
    for (let look = 0; look < LOOKS && !deadline.expired; look++) {
      const status = await ask({ execute: "guest-exec-status", arguments: { pid } });
      if (status.exited === true) return parseGpuRows(Buffer.from(String(status["out-data"] ?? ""), "base64").toString("utf8"));
      await clock.sleep(LOOK_MS);
    }
  } catch (error) {
    log.log("WARN", `The GPUs of ${uuid} are left out: ${messageOf(error)}`);
  }
  return undefined;
}

/** Rows of `nvidia-smi`: UUID, two utilizations, power, free memory. What is not known there counts 0. */
export function parseGpuRows(csv: string): GpuMetrics | undefined {
  const rows = csv.split("\n").map((line) => line.split(",")).filter((fields) => fields.length >= 5).map((fields) => fields.slice(1).map((field) => Number(field.replace(/[^\d.-]/g, "")) || 0));
  const sum = (index: number) => rows.reduce((total, row) => total + (row[index] ?? 0), 0);
  return rows.length === 0 ? undefined : { utilization: sum(0) / rows.length, memoryUtilization: sum(1) / rows.length, power: sum(2), memoryFree: sum(3), count: rows.length };
}

/** The attributes of a VM, in upstream's order. */
export function gpuAttributes(metrics: GpuMetrics): readonly (readonly [string, string])[] {
  return [
    ["GPU_UTILIZATION", decimal(metrics.utilization)], ["GPU_MEMORY_UTILIZATION", decimal(metrics.memoryUtilization)], ["GPU_MEMORY_FREE", decimal(metrics.memoryFree)],
    ["GPU_POWER_USAGE", decimal(metrics.power)], ["GPU_COUNT", String(metrics.count)],
  ];
}
