import { editAttributes } from "../codec/xml-edit.ts";
import type { Files } from "../core/ports.ts";

/** What oned writes into the documents of VMs with shared file systems; oneadmin can change it, and libvirt runs it as root. */
const OF_TREE = "/var/tmp/one/vmm/kvm/virtiofsd.sh";

/** Root's own, where `onevirt root install` has put it. */
export const OF_ROOT = "/usr/lib/onevirt/virtiofsd.sh";

/** A domain stands alone, or in a snapshot as it ran and as it would have started. */
const PLACES = ["domain", "domainsnapshot/domain", "domainsnapshot/inactiveDomain"].map((domain) => `${domain}/devices/filesystem/binary`);

/**
 * Lets libvirt start virtiofsd through the script that only root can change, where this host has one (actions.md 17.1 row 10). A document
 * of a host that had one gets the script of the tree where there is none: without any the VM would not start.
 */
export function safeVirtiofsd(xml: string, files: Files): string {
  if (!xml.includes(OF_TREE) && !xml.includes(OF_ROOT)) return xml;
  const [from, to] = files.kind(OF_ROOT) === undefined ? [OF_ROOT, OF_TREE] : [OF_TREE, OF_ROOT];
  return PLACES.reduce((edited, place) => editAttributes(edited, place, ({ path }) => (path === from ? { path: to } : undefined)), xml);
}
