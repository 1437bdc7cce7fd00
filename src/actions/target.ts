import { readDomainDocument, type DomainDocument } from "../codec/domain-document.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { LOOK_SECONDS } from "../vm/limits.ts";
import { lifeOf, type Verdict } from "../vm/liveness.ts";

const LOOK_AGAIN_MS = 1000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The domain that oned means. A deploy whose answer was lost leaves an empty deploy id; OpenNebula's own name for the VM then finds it. */
export function deployIdOf(args: Readonly<Record<string, string>>): string {
  const { "deploy-id": deployId = "", vmid = "" } = args;
  if (deployId !== "") return deployId;
  if (/^\d+$/.test(vmid)) return `one-${vmid}`;
  throw new OnevirtError("BAD_ARGUMENT", "the deploy id is empty, and no number of a VM was given");
}

/** Whether the domain with this deploy id lives. */
export function lifeOfRef(ref: string, context: Context): Promise<Verdict> {
  return lifeOf(UUID.test(ref) ? { uuid: ref, name: "" } : { uuid: "", name: ref }, context, context.deadline);
}

/** The running domain, for actions that make no sense without one: DOMAIN_NOT_FOUND otherwise. */
export async function getTarget(ref: string, { hypervisor, deadline }: Context): Promise<DomainStatus> {
  const status = await hypervisor.find(ref, deadline.within(LOOK_SECONDS));
  if (!status) throw new OnevirtError("DOMAIN_NOT_FOUND", `there is no domain "${ref}" on ${hypervisor.uri}`);
  return status;
}

/**
 * The running domain that is about to end; undefined when it is gone already, which is what was asked for. A life that cannot be
 * told is an error: on "gone" oned deletes disks.
 */
export async function findEnding(ref: string, context: Context): Promise<DomainStatus | undefined> {
  const verdict = await patientLifeOf(ref, context);
  if (verdict.life === "gone") return undefined;
  if (verdict.life === "running" && verdict.status) return verdict.status;
  throw new OnevirtError("LIBVIRT_UNREACHABLE", `its state is not known: ${verdict.because}`, { hint: "check libvirtd on this host, then try again" });
}

/** A daemon that is just being restarted is given a few seconds (actions.md 7.2 a). */
async function patientLifeOf(ref: string, context: Context): Promise<Verdict> {
  const patience = context.deadline.within(context.settings.onevirt.FRESH_LOOK_SECONDS);
  for (;;) {
    const verdict = await lifeOfRef(ref, context);
    const answered = verdict.life === "gone" || verdict.status !== undefined;
    if (answered || patience.expired) return verdict;
    await context.clock.sleep(Math.min(LOOK_AGAIN_MS, patience.remainingMs()));
  }
}

/** The document of a running domain; what depends on it (vGPU, TPM) is left out, and told, when it cannot be read. */
export async function readLiveDocument(status: DomainStatus, { hypervisor, deadline, log }: Context): Promise<DomainDocument | undefined> {
  try {
    return readDomainDocument(await hypervisor.domainXml(status.uuid, {}, deadline.within(LOOK_SECONDS)), `the document of "${status.name}"`);
  } catch (error) {
    log.log("WARN", `The document of "${status.name}" cannot be read, its TPM and vGPUs are left as they are: ${String(error)}`);
    return undefined;
  }
}
