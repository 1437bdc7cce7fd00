import { join } from "node:path";
import type { ActionMessage } from "../codec/action-message.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import { CephCheckpoint } from "./checkpoint-ceph.ts";

/** What the storage does with a checkpoint: after a save it takes the file over, before a restore it gives it back. */
export interface Companion {
  run(file: string): Promise<void>;
  /** After a restore that worked. */
  finish(): Promise<void>;
}

/** Names of transfer drivers become a part of a file name. */
const TM_MAD = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

/**
 * The companion of the datastore's transfer driver (actions.md 7.4, 7.6): for Ceph our own, for others the script
 * `save.TM_MAD` or `restore.TM_MAD` of the tree, when an administrator or a vendor has put one there.
 */
export async function companionOf(action: "save" | "restore", message: ActionMessage, args: Readonly<Record<string, string>>, stdin: string, context: Context): Promise<Companion | undefined> {
  const driver = message.text("DATASTORE/TM_MAD");
  if (driver === "") return undefined;
  if (!TM_MAD.test(driver)) throw new OnevirtError("BAD_INPUT", `Cannot use the transfer driver ${JSON.stringify(driver.slice(0, 80))} of the datastore: it is no plain name`);
  if (driver === "ceph") return new CephCheckpoint(action, message, requireVmid(args.vmid ?? ""), context);
  const script = join(context.tree, "vmm/kvm", `${action}.${driver}`);
  return context.files.kind(script) === undefined ? undefined : new ScriptCompanion(script, Object.values(args), stdin, context);
}

class ScriptCompanion implements Companion {
  constructor(
    private readonly script: string,
    private readonly argv: readonly string[],
    private readonly stdin: string,
    private readonly context: Context,
  ) {}

  async run(): Promise<void> {
    const { exitCode, stderr } = await this.context.commands.run([this.script, ...this.argv], this.context.deadline, { stdin: this.stdin });
    if (exitCode !== 0) throw new OnevirtError("COMMAND_FAILED", `"${this.script}" ended with exit code ${exitCode}: ${stderr.trim().split("\n").at(-1) ?? ""}`);
  }

  async finish(): Promise<void> {
    return;
  }
}

function requireVmid(vmid: string): string {
  if (/^\d{1,10}$/.test(vmid)) return vmid;
  throw new OnevirtError("BAD_ARGUMENT", `${JSON.stringify(vmid.slice(0, 80))} is not the number of a VM: the checkpoint in Ceph is named after it`);
}
