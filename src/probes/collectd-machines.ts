import { isBefore } from "../core/generation.ts";
import type { Context } from "../core/ports.ts";
import { run as machineModels } from "./machine-models.ts";
import type { ProbeRequest } from "./probe.ts";

/** Machines and CPU models as oned 5.x takes them (monitoring.md 11.1): not before 5.6, and the host's own model not before 5.8. */
export async function run(request: ProbeRequest, context: Context): Promise<string> {
  const { version } = context.generation;
  if (isBefore(version, 5, 6)) return "";
  const text = await machineModels(request, context);
  return isBefore(version, 5, 8) ? text.replace(/^KVM_CPU_MODEL=.*\n/m, "") : text;
}
