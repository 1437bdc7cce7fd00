import { attributeLines, quoted } from "../codec/attribute-text.ts";
import type { Context } from "../core/ports.ts";
import type { ProbeRequest } from "./probe.ts";

/** The host's own name, as `uname -n` says it (monitoring.md 6.3). */
export async function run(_request: ProbeRequest, { files }: Context): Promise<string> {
  const name = files.findText("/proc/sys/kernel/hostname")?.trim();
  return attributeLines({ HOSTNAME: name === undefined || /^[\w.-]+$/.test(name) ? name : quoted(name) });
}
