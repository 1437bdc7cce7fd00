import { attributeLines } from "../codec/attribute-text.ts";
import { readMemoryEncryption } from "../codec/host-capabilities.ts";
import type { Context } from "../core/ports.ts";
import type { ProbeRequest } from "./probe.ts";

/** The kind of encrypted guests that this host can run: placement asks for it (monitoring.md 6.3). */
export async function run(_request: ProbeRequest, { hypervisor, deadline }: Context): Promise<string> {
  return attributeLines({ MEMORY_ENCRYPTION: readMemoryEncryption(await hypervisor.node.domainCapabilities(undefined, undefined, undefined, deadline)) });
}
