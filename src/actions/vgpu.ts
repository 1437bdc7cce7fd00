import { join } from "node:path";
import type { DomainDocument } from "../codec/domain-document.ts";
import { findAll, findFirst, parseVmXml, textOf } from "../codec/xml.ts";
import { messageOf } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import { helperTime } from "./look-time.ts";

/** vGPUs that were made for a domain; taken back when it does not start. */
export interface Vgpus extends AsyncDisposable {
  /** The domain has started, or still may: from now on they are its own. */
  keep(): void;
}

/** Makes the vGPU devices that the VM document asks for (actions.md 7.1 step 5). Unlike upstream a failure is an error here, not an obscure one of libvirt later. */
export async function createVgpus(domain: DomainDocument, directory: string, context: Context): Promise<Vgpus> {
  const vmXml = join(directory, "vm.xml");
  const wanted = domain.hostDevices && (await asksForVgpu(vmXml, context));
  await using undo = new AsyncDisposableStack();
  if (wanted) {
    undo.defer(() => deleteVgpus(domain, directory, context)); // also when some were made, and then no more
    await context.root.vgpu("create", vmXml, helperTime(context));
  }
  const made = undo.move();
  return { keep: () => void made.move(), [Symbol.asyncDispose]: () => made.disposeAsync() };
}

/** Gives the vGPU devices of a VM back to the host. A failure is told: the VM is gone all the same. */
export async function deleteVgpus(domain: DomainDocument, directory: string | undefined, context: Context): Promise<void> {
  if (!domain.hostDevices || !directory) return;
  const vmXml = join(directory, "vm.xml");
  try {
    if (await asksForVgpu(vmXml, context)) await context.root.vgpu("delete", vmXml, helperTime(context));
  } catch (error) {
    context.log.log("ERROR", `The vGPUs of "${domain.name}" were not given back: ${messageOf(error)}`);
  }
}

/** A PCI device with a UUID is a vGPU: the helper works on every /VM/TEMPLATE/PCI/UUID (actions.md 7.23). */
async function asksForVgpu(vmXml: string, { files }: Context): Promise<boolean> {
  const text = files.findText(vmXml);
  if (text === undefined || !text.includes("<UUID>")) return false;
  return findAll(await parseVmXml(text, "vm.xml"), "TEMPLATE", "PCI").some((pci) => Boolean(textOf(findFirst(pci, "UUID"))));
}
