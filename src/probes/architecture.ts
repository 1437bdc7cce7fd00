import { attributeLines } from "../codec/attribute-text.ts";
import type { Context } from "../core/ports.ts";
import type { ProbeRequest } from "./probe.ts";

/** `uname -m` by the runtime's names, for kernels before 6.1. */
const MACHINES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

/** The machine type as `uname -m` says it (monitoring.md 6.3). */
export async function run(_request: ProbeRequest, { files }: Context): Promise<string> {
  return attributeLines({ ARCH: files.findText("/proc/sys/kernel/arch")?.trim() || (MACHINES[process.arch] ?? process.arch) });
}
