import { quoted } from "../codec/attribute-text.ts";
import { readDomainDocument } from "../codec/domain-document.ts";
import { hasCode, messageOf } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { wildTemplate } from "../monitor/import-template.ts";
import { vmIdOf } from "../monitor/vm-state.ts";
import type { ProbeRequest } from "./probe.ts";

/** Domains that OpenNebula did not start, with what it takes to import them (monitoring.md 6.7). One that vanishes meanwhile, or has a document that cannot be read, is left out; a libvirt that does not answer is a failure, because OpenNebula takes the list for complete. */
export async function run(_request: ProbeRequest, context: Context): Promise<string> {
  const domains = await context.hypervisor.list(context.deadline);
  const wild = domains.filter(({ name }) => vmIdOf(name) === undefined);
  const lines: string[] = [];
  for (const domain of wild) lines.push(await describe(domain, context));
  return lines.join("");
}

async function describe({ name, uuid }: DomainStatus, { hypervisor, deadline, log }: Context): Promise<string> {
  try {
    const template = wildTemplate(readDomainDocument(await hypervisor.domainXml(uuid, {}, deadline), name), uuid);
    return `VM = [ID="-1", DEPLOY_ID="${uuid}", VM_NAME=${quoted(name)}, IMPORT_TEMPLATE="${Buffer.from(template).toString("base64")}"]\n`;
  } catch (error) {
    if (hasCode(error, "TIMED_OUT", "LIBVIRT_UNREACHABLE", "CONNECTION_LOST")) throw error;
    if (!hasCode(error, "DOMAIN_NOT_FOUND")) log.log("WARN", `No import template of "${name}": ${messageOf(error)}`);
    return "";
  }
}
