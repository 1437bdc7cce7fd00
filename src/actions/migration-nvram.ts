import { dirname, normalize } from "node:path";
import { OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";

const MOST_TRIES = 5;

/**
 * Copies the UEFI variables of a running VM. The guest may write them meanwhile, so they are copied until they were the same at two
 * looks in a row: then the copy is what the file was at one moment, and the firmware reads it as after a power cut.
 */
export async function copyNvram({ from, to }: { readonly from: string; readonly to: string }, context: Context): Promise<void> {
  for (let left = MOST_TRIES; left > 0; left--) if (await isCopied(from, to, context)) return;
  throw new OnevirtError("BUSY", `Cannot copy the UEFI variables "${from}": the guest writes them all the time`);
}

/** Whether the copy was up to date already; makes it so otherwise. */
async function isCopied(from: string, to: string, { commands, deadline }: Context): Promise<boolean> {
  const argv = ["rsync", "-a", "--checksum", "--out-format=%n", "--", normalize(from), `${dirname(to)}/`];
  const { exitCode, stdout, stderr } = await commands.run(argv, deadline);
  if (exitCode !== 0) throw new OnevirtError("COMMAND_FAILED", `Cannot copy the UEFI variables "${from}": ${stderr.trim().split("\n").at(-1) ?? ""}`);
  return stdout.trim() === "";
}
