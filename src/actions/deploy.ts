import { dirname } from "node:path";
import { readDomainDocument, requireSafeName, type DomainDocument } from "../codec/domain-document.ts";
import { decodeDocument, isVmDocument } from "../codec/stdin-document.ts";
import { hasCode, OnevirtError } from "../core/errors.ts";
import type { Context, DomainIdentity, DomainStatus } from "../core/ports.ts";
import { pausedReason } from "../core/states.ts";
import { lifeOf, type Verdict } from "../vm/liveness.ts";
import { settle, type Look } from "../vm/outcome.ts";
import { compactMemoryOnStart } from "./compact-memory.ts";
import { checkHostPath, sameDirectory } from "./host-path.ts";
import { resolveDiskLinks } from "./disk-links.ts";
import { checkNvramPlace, prepareNvram } from "./nvram.ts";
import { redefineSnapshots } from "./snapshot-files.ts";
import type { ActionInput } from "./action.ts";
import { keepTpmState, recoverTpm } from "./tpm-state.ts";
import { createVgpus } from "./vgpu.ts";
import { safeVirtiofsd } from "./virtiofsd.ts";

/** Mode of what deploy leaves in the directory of the VM, as upstream's umask gives it to the group. */
const FILE_MODE = 0o660;

/** Starts a VM (actions.md 7.1). The document stays in memory from stdin to libvirt; the file beside the disks is for people. */
export async function run({ arguments: args, stdin }: ActionInput, context: Context): Promise<string> {
  const file = checkHostPath(args["deployment-file"] ?? "", "the deployment file");
  const directory = dirname(file);
  const received = await asDomain(decodeDocument(stdin, "the deployment document"), directory, context);
  const domain = readDomainDocument(received, "the deployment document");
  requireSafeName(domain.name, "the deployment document");
  checkNvramPlace(domain, directory, context.files);

  using _lock = await context.locks.acquire(domain.uuid ?? "", domain.name, "deploy", context.deadline);
  const running = await alreadyRunning(domain, directory, context);
  if (running) return answer(running, context);

  const xml = safeVirtiofsd(keepTpmState(resolveDiskLinks(received, domain, context.files), domain), context.files);
  await prepare(xml, { file, directory, domain }, context);
  const started = await start(xml, { directory, domain }, context);
  await redefineSnapshots(directory, started, context);
  return answer(started, context);
}

/** With TYPE="xml" oned sends the VM itself; the generator is loaded only then. */
async function asDomain(document: string, directory: string, context: Context): Promise<string> {
  if (!isVmDocument(document)) return document;
  return (await import("./vm-to-domain.ts")).domainFromVm(document, directory, context);
}

interface Deployment {
  readonly file: string;
  readonly directory: string;
  readonly domain: DomainDocument;
}

/** Everything that must stand on the host before the domain does. The document is written first, so that people find it when the rest fails. */
async function prepare(xml: string, { file, directory, domain }: Deployment, context: Context): Promise<void> {
  context.files.writeAtomic(file, xml, FILE_MODE);
  await prepareNvram(domain, context);
  await recoverTpm(domain, directory, context);
  await compactMemoryOnStart(context);
}

async function start(xml: string, { directory, domain }: Omit<Deployment, "file">, context: Context): Promise<DomainIdentity> {
  await using vgpus = await createVgpus(domain, directory, context);
  try {
    const started = await create(xml, domain, context);
    vgpus.keep();
    return started;
  } catch (error) {
    if (hasCode(error, "OUTCOME_UNKNOWN")) vgpus.keep(); // it may still start, and then needs them
    throw error;
  }
}

async function create(xml: string, { name, uuid = "" }: DomainDocument, context: Context): Promise<DomainIdentity> {
  let seen: DomainIdentity | undefined;
  const created = await settle({
    doing: `create domain "${name}"`,
    call: () => context.hypervisor.create(xml, context.deadline),
    look: async (deadline) => {
      const verdict = await lifeOf({ uuid, name }, context, deadline);
      seen = verdict.status;
      return asLook(verdict);
    },
  }, { clock: context.clock, log: context.log, lookSeconds: context.settings.onevirt.FRESH_LOOK_SECONDS });
  return (created ?? seen) as DomainIdentity; // the look says "done" only of a domain that it has seen
}

/**
 * A deploy whose first answer was lost: the same name, UUID and directory run already. Then the caller's intent is certain, and the
 * domain is the answer. Anything else in its place is an error, and nothing is touched.
 */
async function alreadyRunning(domain: DomainDocument, directory: string, context: Context): Promise<DomainIdentity | undefined> {
  const byName = await lifeOf({ uuid: "", name: domain.name }, context, context.deadline);
  const verdict = byName.life === "gone" && domain.uuid ? await lifeOf({ uuid: domain.uuid, name: domain.name }, context, context.deadline) : byName;
  if (verdict.life === "gone") return undefined;
  if (verdict.life === "unknown" || !verdict.status) throw cannotTell(domain, verdict);
  const { status } = verdict;
  if (isStarting(status)) throw new OnevirtError("OUTCOME_UNKNOWN", `an earlier request to start "${status.name}" is still in progress`, { hint: "try again when it has ended" });
  if (status.state !== "crashed" && status.uuid === domain.uuid && status.name === domain.name && (await runsIn(directory, status.uuid, context))) {
    context.log.log("INFO", `Domain "${status.name}" runs already with this UUID in ${directory}: this is a retry`);
    return status;
  }
  throw new OnevirtError("DOMAIN_EXISTS", `a domain "${status.name}" with UUID ${status.uuid} is ${status.state} on this host already`, {
    hint: "look at it with virsh, and end it only if it is not needed",
  });
}

/** A UUID of a daemon that cannot be asked must not be started twice. */
function cannotTell({ name }: DomainDocument, { because }: Verdict): OnevirtError {
  return new OnevirtError("LIBVIRT_UNREACHABLE", `cannot tell whether "${name}" runs already: ${because}`, { hint: "check libvirtd on this host" });
}

async function runsIn(directory: string, uuid: string, { hypervisor, deadline }: Context): Promise<boolean> {
  const live = readDomainDocument(await hypervisor.domainXml(uuid, {}, deadline), "the running domain");
  return live.systemDatastore !== undefined && sameDirectory(live.systemDatastore, directory);
}

/** Done is only what libvirt itself reports, and has done with: a process alone may still be given up, and so may a domain that is being started. */
function asLook({ life, because, status }: Verdict): Look {
  if (life === "gone") return { now: "not done", because };
  if (life === "running" && status && !isStarting(status)) return { now: "done" };
  return { now: "unknown", because: status && isStarting(status) ? "libvirt is still starting it" : because };
}

function isStarting({ state, reason }: DomainStatus): boolean {
  return state === "paused" && pausedReason(reason) === "startingup";
}

/** OpenNebula 6.0 and later keep the UUID as deploy id, earlier ones the name. */
function answer({ name, uuid }: DomainIdentity, { generation }: Context): string {
  return generation.deployAnswer === "uuid" ? uuid : name;
}
