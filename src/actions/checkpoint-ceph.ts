import { join } from "node:path";
import type { ActionMessage } from "../codec/action-message.ts";
import { parseKvmrc } from "../codec/kvmrc.ts";
import { messageOf, OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import type { Companion } from "./checkpoint-companion.ts";
import { checkpointKind } from "./checkpoint-file.ts";

/** What the datastore says of Ceph; ceph.conf of the tree gives the defaults (actions.md 7.6). */
const NAMES = ["POOL_NAME", "RBD_FORMAT", "CEPH_USER", "CEPH_CONF"] as const;
type CephSettings = Readonly<Record<(typeof NAMES)[number], string>>;

const DEFAULTS: CephSettings = { POOL_NAME: "one", RBD_FORMAT: "2", CEPH_USER: "", CEPH_CONF: "" };

/**
 * Checkpoints of VMs whose system datastore is Ceph: an RBD image beside the disks. The file is written first and removed only after
 * the import, so a file that is there is always newer than the image.
 */
export class CephCheckpoint implements Companion {
  readonly #image: string;
  readonly #rbd: readonly string[];
  readonly #format: string;
  #exported = false;

  constructor(
    private readonly action: "save" | "restore",
    message: ActionMessage,
    vmid: string,
    private readonly context: Context,
  ) {
    const settings = read(message, context);
    this.#image = `${settings.POOL_NAME}/one-sys-${vmid}-checkpoint`;
    this.#format = settings.RBD_FORMAT;
    const options = [...(settings.CEPH_USER ? ["--id", settings.CEPH_USER] : []), ...(settings.CEPH_CONF ? ["--conf", settings.CEPH_CONF] : [])];
    this.#rbd = [...context.settings.kvmrc.RBD, ...options];
  }

  run(file: string): Promise<void> {
    return this.action === "save" ? this.#import(file) : this.#export(file);
  }

  /** The image has served; one that cannot be removed is told, because the VM runs. */
  async finish(): Promise<void> {
    if (!this.#exported) return;
    await this.#run(["rm", this.#image], `Error removing checkpoint ${this.#image}`).catch((error: unknown) => this.context.log.log("WARN", messageOf(error)));
  }

  /** When the import fails the file stays: it is the only copy. */
  async #import(file: string): Promise<void> {
    await this.#run(["import", ...(this.#format === "2" ? ["--image-format", "2"] : []), file, this.#image], `Error importing checkpoint into ${this.#image}`);
    this.context.files.remove(file);
  }

  async #export(file: string): Promise<void> {
    const { files, log } = this.context;
    const kind = checkpointKind(file, files);
    if (kind === "whole" || kind === "unreadable") return log.log("INFO", `Restoring from ${file}, which is newer than ${this.#image}`);
    if (kind !== "absent" && kind !== "empty") log.log("WARN", `${file} is not a whole checkpoint: restoring from ${this.#image}`);
    const temporary = `${file}.export`;
    files.remove(temporary); // of a restore that was killed: rbd does not overwrite
    await this.#run(["export", this.#image, temporary], `Error exporting checkpoint from ${this.#image} to ${file}`);
    files.rename(temporary, file);
    this.#exported = true;
  }

  async #run(words: readonly string[], failure: string): Promise<void> {
    const { exitCode, stderr } = await this.context.commands.run([...this.#rbd, ...words], this.context.deadline);
    if (exitCode !== 0) throw new OnevirtError("COMMAND_FAILED", `${failure}: ${stderr.trim().split("\n").at(-1) || `exit code ${exitCode}`}`);
  }
}

function read(message: ActionMessage, { files, tree, log }: Context): CephSettings {
  const path = join(tree, "etc/datastore/ceph/ceph.conf");
  const parsed = parseKvmrc(files.findText(path) ?? "");
  if (!parsed.plain) log.log("WARN", `${path}, line ${parsed.line}: only plain assignments are read; its settings are ignored`);
  const file = new Map(parsed.plain ? parsed.assignments.map(({ name, value }) => [name, value]) : []);
  return Object.fromEntries(NAMES.map((name) => [name, checked(name, message.text(`DATASTORE/TEMPLATE/${name}`) || file.get(name) || DEFAULTS[name])])) as CephSettings;
}

/** Values become words of rbd's command line: none may look like an option. */
function checked(name: string, value: string): string {
  if (value.startsWith("-") || /\p{Cc}/u.test(value)) throw new OnevirtError("BAD_INPUT", `Cannot use ${name}=${JSON.stringify(value.slice(0, 80))} of the datastore: it is no plain value`);
  return value;
}
