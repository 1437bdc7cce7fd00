import { editAttributes } from "../codec/xml-edit.ts";
import type { Files } from "../core/ports.ts";

/** What oned writes into the documents of VMs with shared file systems; oneadmin can change it, and libvirt runs it as root. */
const OF_TREE = "/var/tmp/one/vmm/kvm/virtiofsd.sh";

/** Root's own, where `onevirt root install` has put it. */
export const OF_ROOT = "/usr/lib/onevirt/virtiofsd.sh";

/** Lets libvirt start virtiofsd through the script that only root can change, where there is one (actions.md 17.1 row 10). */
export function safeVirtiofsd(xml: string, files: Files): string {
  if (!xml.includes(OF_TREE) || files.kind(OF_ROOT) === undefined) return xml;
  return editAttributes(xml, "domain/devices/filesystem/binary", ({ path }) => (path === OF_TREE ? { path: OF_ROOT } : undefined));
}
