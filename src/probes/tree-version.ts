import { attributeLines, quoted } from "../codec/attribute-text.ts";
import type { Context } from "../core/ports.ts";
import type { ProbeRequest } from "./probe.ts";

/** The version of the remotes tree: by it oned knows that a host needs a sync (monitoring.md 6.3). */
export async function run(_request: ProbeRequest, { files, tree }: Context): Promise<string> {
  const version = files.findText(`${tree}/VERSION`, 4096)?.trimEnd().split("\n").at(-1);
  return attributeLines({ VERSION: version ? quoted(version) : undefined });
}
