import { attributeLines, quoted } from "../codec/attribute-text.ts";
import { parseCpuModel } from "../codec/kernel-text.ts";
import type { Context } from "../core/ports.ts";
import type { ProbeRequest } from "./probe.ts";

/** The processor's name (monitoring.md 6.3). */
export async function run(_request: ProbeRequest, { files }: Context): Promise<string> {
  const model = parseCpuModel(files.findText("/proc/cpuinfo") ?? "");
  return attributeLines({ MODELNAME: model === undefined ? undefined : quoted(model) });
}
