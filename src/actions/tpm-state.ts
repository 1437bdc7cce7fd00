import { join } from "node:path";
import type { DomainDocument } from "../codec/domain-document.ts";
import { TPM_STATE_FILE, readTpmState } from "../codec/tpm-archive.ts";
import { editAttributes } from "../codec/xml-edit.ts";
import { findFirst, parseVmXml, textOf } from "../codec/xml.ts";
import { messageOf } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import { helperTime } from "./look-time.ts";

/**
 * Asks libvirt to keep the TPM's state when the domain ends (persistent_state, libvirt 7.0): only then can it be saved after the
 * guest has stopped writing to it, and also after a cancel (actions.md 17.1 row 11).
 */
export function keepTpmState(xml: string, { tpm }: DomainDocument): string {
  if (!tpm || tpm.persistent) return xml;
  return editAttributes(xml, "domain/devices/tpm/backend", ({ type }) => (type === "emulator" ? { persistent_state: "yes" } : undefined));
}

/** Puts a saved TPM state where swtpm will find it. The state comes from an earlier run, or from the template of an imported VM. */
export async function recoverTpm({ tpm, uuid }: DomainDocument, directory: string, context: Context): Promise<void> {
  if (!tpm || !uuid) return;
  const state = join(directory, TPM_STATE_FILE);
  if (context.files.kind(join(directory, "tpm")) === undefined) await unpackFromTemplate(directory, state, context);
  if (context.files.kind(state) !== undefined) await context.root.tpm("recover", uuid, directory, helperTime(context));
}

async function unpackFromTemplate(directory: string, state: string, { files }: Context): Promise<void> {
  const text = files.findText(join(directory, "vm.xml"));
  const vm = text === undefined ? undefined : await parseVmXml(text, "vm.xml");
  const archive = textOf(findFirst(vm, "USER_TEMPLATE", "TPM_STATE"));
  if (archive) files.writeAtomic(state, readTpmState(archive), 0o600);
}

/** Where the state of a running VM goes when it ends; undefined when it has no emulated TPM. */
export interface TpmBackup {
  /** Saves now, when libvirt would drop the state with the domain. Compat: VMs that upstream's deploy started. */
  before(): Promise<void>;
  /** Saves after the domain has stopped, when libvirt keeps the state. */
  after(): Promise<void>;
}

/** Saves the TPM state of a domain that is about to end. A failure is told and does not keep the VM running: its disks are not at stake. */
export function tpmBackup({ tpm, uuid, systemDatastore }: DomainDocument, context: Context): TpmBackup {
  const { root, log } = context;
  const save = async (when: boolean): Promise<void> => {
    if (!tpm || !when) return;
    if (!uuid || !systemDatastore) return log.log("ERROR", "The TPM state was not saved: the domain does not name its directory");
    await root.tpm("backup", uuid, systemDatastore, helperTime(context)).catch((error: unknown) => log.log("ERROR", `The TPM state was not saved: ${messageOf(error)}`));
  };
  return { before: () => save(tpm?.persistent === false), after: () => save(tpm?.persistent === true) };
}
