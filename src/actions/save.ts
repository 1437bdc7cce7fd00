import { ActionMessage } from "../codec/action-message.ts";
import { hasCode } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { type Look, settle } from "../vm/outcome.ts";
import type { ActionInput } from "./action.ts";
import { afterBlockJobs } from "./block-job.ts";
import { companionOf } from "./checkpoint-companion.ts";
import { checkpointKind } from "./checkpoint-file.ts";
import { compactMemoryOnStop } from "./compact-memory.ts";
import { checkHostPath } from "./host-path.ts";
import { judges } from "./look-time.ts";
import { settledLife } from "./settled-life.ts";
import { getTarget } from "./target.ts";

/** As upstream's umask leaves it: libvirt's user and group must be able to write it. */
const FILE_MODE = 0o666;

/** Stops a VM and keeps its memory in a file (actions.md 7.4); then the storage may take the file over (7.6). */
export async function run({ arguments: args, stdin }: ActionInput, context: Context): Promise<string> {
  const file = checkHostPath(args["checkpoint-file"] ?? "", "the checkpoint file");
  const message = await ActionMessage.read(stdin);
  const companion = await companionOf("save", message, args, stdin, context);
  const domain = await getTarget(args["deploy-id"] ?? "", context);
  {
    using _lock = await context.locks.acquire(domain.uuid, domain.name, "save", context.deadline);
    makeRoom(file, context);
    await save(domain, file, context);
    await companion?.run(file);
  }
  await compactMemoryOnStop(context);
  return "";
}

/** An older checkpoint is kept under another name: nobody knows whether it is still needed. */
function makeRoom(file: string, { files, clock, log }: Context): void {
  if (files.kind(file) !== undefined) {
    const older = `${file}.${Math.floor(clock.nowMs() / 1000)}`;
    log.log("INFO", `Moving old checkpoint file ${file} to ${older}`);
    files.rename(file, older);
  }
  files.writeAtomic(file, "", FILE_MODE);
}

async function save(domain: DomainStatus, file: string, context: Context): Promise<void> {
  try {
    await settle({
      doing: `save "${domain.name}" to ${file}`,
      call: () => afterBlockJobs(`save of "${domain.name}"`, () => context.hypervisor.images.save(domain.uuid, file, context.deadline), context),
      look: () => look(domain, file, context),
    }, judges(context));
  } catch (error) {
    if (!hasCode(error, "OUTCOME_UNKNOWN")) removeLeftover(file, context);
    throw error;
  }
}

/** The VM goes on, and what was written of its memory is worth nothing: on a full disk it would only keep it full. A whole checkpoint is never removed. */
function removeLeftover(file: string, { files }: Context): void {
  const kind = checkpointKind(file, files);
  if (kind === "empty" || kind === "partial") files.remove(file);
}

/** Saved is only a domain that is gone and a file that is whole. */
async function look({ uuid, name }: DomainStatus, file: string, context: Context): Promise<Look> {
  const { life, because, atWork } = await settledLife({ uuid, name }, context);
  if (life === "gone") return checkpointKind(file, context.files) === "whole" ? { now: "done" } : { now: "unknown", because: `the domain has ended, but ${file} is not a whole checkpoint` };
  if (atWork) return { now: "unknown", because: "libvirt is still saving it" };
  return { now: life === "running" ? "not done" : "unknown", because };
}
