import { messageOf } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";

const COMPACT_SECONDS = 60;

/** Compacts the host's memory after a VM stopped, when the administrator asked for it. A failure is told and changes nothing. */
export async function compactMemoryOnStop(context: Context): Promise<void> {
  if (context.settings.kvmrc.CLEANUP_MEMORY_ON_STOP) await compactMemory(context);
}

/** The same before a VM starts. */
export async function compactMemoryOnStart(context: Context): Promise<void> {
  if (context.settings.kvmrc.CLEANUP_MEMORY_ON_START) await compactMemory(context);
}

async function compactMemory({ root, deadline, log }: Context): Promise<void> {
  await root.compactMemory(deadline.within(COMPACT_SECONDS)).catch((error: unknown) => log.log("WARN", `The memory was not compacted: ${messageOf(error)}`));
}
