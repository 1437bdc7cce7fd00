import { dirname } from "node:path";
import { ActionMessage } from "../codec/action-message.ts";
import { readDomainDocument } from "../codec/domain-document.ts";
import { moveDirectory } from "../codec/moved-paths.ts";
import { hasCode, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { lifeOf } from "../vm/liveness.ts";
import { settle } from "../vm/outcome.ts";
import type { ActionInput } from "./action.ts";
import { companionOf } from "./checkpoint-companion.ts";
import { checkpointKind, describeCheckpoint } from "./checkpoint-file.ts";
import { compactMemoryOnStart } from "./compact-memory.ts";
import { checkHostPath, sameDirectory } from "./host-path.ts";
import { judges, lookTime } from "./look-time.ts";
import { isPaused, settledLife } from "./settled-life.ts";
import { redefineSnapshots } from "./snapshot-files.ts";
import { syncTime } from "./sync-time.ts";
import { safeVirtiofsd } from "./virtiofsd.ts";

const AGAIN_MS = 1000;

/** Starts a VM from its checkpoint (actions.md 7.5). The checkpoint is removed only when the VM runs. */
export async function run({ arguments: args, stdin }: ActionInput, context: Context): Promise<string> {
  const file = checkHostPath(args["checkpoint-file"] ?? "", "the checkpoint file");
  const directory = dirname(file);
  const message = await ActionMessage.read(stdin);
  if (await wakeSleeping(args, context)) return "";
  const companion = await companionOf("restore", message, args, stdin, context);
  await companion?.run(file);
  const xml = safeVirtiofsd(moveDirectory(await readImage(file, context), directory), context.files);
  const { name, uuid = "" } = readDomainDocument(xml, `the document in ${file}`);

  using _lock = await context.locks.acquire(uuid, name, "restore", context.deadline);
  const running = await alreadyRunning({ uuid, name }, directory, context);
  if (!running) {
    await compactMemoryOnStart(context);
    await restore({ uuid, name }, file, xml, context);
  }
  await syncTime(uuid, context);
  context.files.remove(file);
  await companion?.finish();
  await redefineSnapshots(directory, { uuid, name, id: -1 }, context);
  return "";
}

/** A guest that put itself to sleep is still there, and only has to be woken. */
async function wakeSleeping({ "deploy-id": deployId = "", vmid = "" }: Readonly<Record<string, string>>, { hypervisor, deadline }: Context): Promise<boolean> {
  const ref = deployId || (/^\d+$/.test(vmid) ? `one-${vmid}` : "");
  const domain = ref === "" ? undefined : await hypervisor.find(ref, deadline);
  if (domain?.state !== "pmsuspended") return false;
  await hypervisor.wakeUp(domain.uuid, deadline);
  return true;
}

/** The document in the checkpoint, with its passwords: without them the console would come back open. */
async function readImage(file: string, { hypervisor, files, deadline }: Context): Promise<string> {
  const kind = checkpointKind(file, files);
  if (kind === "absent" || kind === "empty" || kind === "partial" || kind === "foreign") throw unusable(file, describeCheckpoint(file, files));
  try {
    return await hypervisor.images.xml(file, { secure: true }, deadline);
  } catch (error) {
    if (!hasCode(error, "LIBVIRT_FAILED")) throw error;
    throw unusable(file, `libvirt says: ${error.libvirt?.text ?? error.message}; ${describeCheckpoint(file, files)}`, error);
  }
}

function unusable(file: string, reason: string, cause?: unknown): OnevirtError {
  return new OnevirtError("BAD_INPUT", `"${file}" cannot be restored: ${reason}`, {
    cause,
    hint: "the disks are untouched; recover the VM as powered off to boot it from them, or put the right checkpoint in place",
  });
}

/** A restore whose answer was lost: the same VM runs from the same directory. Anything else in its place is an error. */
async function alreadyRunning(domain: { readonly uuid: string; readonly name: string }, directory: string, context: Context): Promise<DomainStatus | undefined> {
  const { life, because, status } = await lifeOf(domain, context, context.deadline);
  if (life === "gone") return undefined;
  if (life === "unknown" || !status) throw new OnevirtError("LIBVIRT_UNREACHABLE", `cannot tell whether "${domain.name}" runs already: ${because}`, { hint: "check libvirtd on this host" });
  const live = readDomainDocument(await context.hypervisor.domainXml(status.uuid, {}, context.deadline), "the running domain").systemDatastore;
  if (status.state === "running" && live !== undefined && sameDirectory(live, directory)) {
    context.log.log("INFO", `Domain "${status.name}" runs already in ${directory}: this is a retry`);
    return status;
  }
  throw new OnevirtError("DOMAIN_EXISTS", `a domain "${status.name}" with UUID ${status.uuid} is ${status.state} on this host already`);
}

/** libvirt may refuse what it takes a second later, for instance while an old QEMU still holds a disk. Never tried again while the domain may be there. */
async function restore(domain: { readonly uuid: string; readonly name: string }, file: string, xml: string, context: Context): Promise<void> {
  for (let left = context.settings.kvmrc.VIRSH_RETRIES; ; left--) {
    try {
      await settle({
        doing: `restore "${domain.name}" from ${file}`,
        call: () => context.hypervisor.images.restore(file, xml, context.deadline),
        look: async (deadline) => {
          const { life, because, status, atWork } = await settledLife(domain, context, isPaused, deadline); // its processors start last
          return status?.state === "running" && !atWork ? { now: "done" } : { now: life === "gone" ? "not done" : "unknown", because };
        },
      }, judges(context));
      return;
    } catch (error) {
      const again = left > 1 && hasCode(error, "LIBVIRT_FAILED", "BUSY") && (await lifeOf(domain, context, lookTime(context))).life === "gone";
      if (!again) throw error;
      context.log.log("INFO", `"${domain.name}" was not restored (${error.message}), trying again`);
      await context.clock.sleep(AGAIN_MS);
    }
  }
}
