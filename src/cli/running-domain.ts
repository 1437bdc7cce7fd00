import { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import { systemClock } from "../host/clock.ts";
import { GuardedHypervisor } from "../libvirt/guarded.ts";
import { startThread } from "../thread.ts";

const LIMIT_SECONDS = 30;

/** The document of a domain that a libvirt knows, by name, UUID or id. Passwords are in it only when `secure` asks for them, which libvirt allows to no read-only connection. */
export async function runningDomain(uri: string, reference: string, { secure = false }: { readonly secure?: boolean } = {}): Promise<string> {
  const deadline = Deadline.after(LIMIT_SECONDS, systemClock);
  using hypervisor = new GuardedHypervisor({ uri, readOnly: !secure, startWorker: startThread });
  const found = await hypervisor.find(reference, deadline);
  if (!found) throw new OnevirtError("DOMAIN_NOT_FOUND", `Cannot find domain "${reference}" on ${uri}`);
  return await hypervisor.domainXml(found.uuid, { secure }, deadline);
}
