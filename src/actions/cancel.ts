import type { Context, DomainStatus } from "../core/ports.ts";
import { compactMemoryOnStop } from "./compact-memory.ts";
import { destroyUntilGone } from "./destroy.ts";
import type { ActionInput } from "./action.ts";
import { deployIdOf, findEnding, readLiveDocument } from "./target.ts";
import { tpmBackup } from "./tpm-state.ts";
import { deleteVgpus } from "./vgpu.ts";
import { lockOverriding } from "./vm-lock.ts";

/** Powers a VM off at once (actions.md 7.3). A VM that is gone is success; one whose state nobody can tell is not. */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  const ref = deployIdOf(args);
  const domain = await findAfterDeploy(ref, context);
  if (domain) await end(domain, context);
  await compactMemoryOnStop(context);
  return "";
}

async function end(domain: DomainStatus, context: Context): Promise<void> {
  using _lock = await lockOverriding(domain, "cancel", context);
  const document = await readLiveDocument(domain, context); // before the domain disappears, and its metadata with it
  const tpm = document && tpmBackup(document, context);
  await tpm?.before();
  await destroyUntilGone(domain, context, context.deadline);
  await tpm?.after();
  if (document) await deleteVgpus(document, document.systemDatastore, context);
}

/** A domain that is just being started is waited for: cancelling nothing while a deploy is under way would leave it running. */
async function findAfterDeploy(ref: string, context: Context): Promise<DomainStatus | undefined> {
  const found = await findEnding(ref, context);
  const holder = found ? undefined : context.locks.holder(ref);
  if (holder?.action !== "deploy") return found;
  context.log.log("INFO", `Waiting for the deploy of "${holder.name}" (process ${holder.pid}, since ${holder.since})`);
  using _lock = await context.locks.acquire(holder.uuid, holder.name, "cancel", context.deadline);
  return findEnding(ref, context);
}
