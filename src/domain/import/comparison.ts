import { parseXml } from "../../codec/xml.ts";
import { diffDomains, type Difference } from "../diff.ts";
import { generateDomain } from "../generate.ts";
import { domainInput } from "../input.ts";
import type { ImportedDomain } from "./import-domain.ts";
import { instanceOf } from "./instance.ts";

/** One thing that a VM of the template has otherwise than the domain, and why, as far as there is a rule for it. */
export interface ExplainedDifference extends Difference {
  readonly reason: string | undefined;
}

/** What distinguishes the domain of a VM of the template from the domain that was imported. BAD_INPUT when none can be generated. */
export async function compareImported(xml: string, imported: ImportedDomain, cgroups: 1 | 2): Promise<readonly ExplainedDifference[]> {
  const generated = generateDomain(await domainInput(instanceOf(imported, cgroups)));
  const differences = diffDomains(parseXml(xml, imported.name), parseXml(generated.xml, "the generated document"));
  return differences.map((each) => ({ ...each, reason: REASONS.find(([pattern, kind]) => pattern.test(each.xpath) && (kind === undefined || kind === each.kind))?.[2] }));
}

/** What OpenNebula has otherwise by its nature, by the place in the document. */
const REASONS: readonly (readonly [RegExp, Difference["kind"] | undefined, string])[] = [
  [/^\/domain\/(name|title)$/, undefined, "OpenNebula calls its domains one-ID, and gives the VM's name as title"],
  [/^\/domain\/metadata/, undefined, "OpenNebula keeps its own facts about the VM with the domain"],
  [/^\/domain\/os\/nvram/, undefined, "variables of the firmware stand in the VM's directory"],
  [/^\/domain\/devices\/emulator/, undefined, "the host's driver names the program"],
  [/^\/domain\/clock$/, "only-in-a", "a clock in UTC without timers is what libvirt sets up by itself"],
  [/^\/domain\/cputune(\/shares)?$/, "only-in-b", "every VM has a share of the processors, worked out from CPU"],
  [/^\/domain\/(cputune\/(vcpupin|emulatorpin)|numatune)/, undefined, "OpenNebula's scheduler chooses processors and memory of the host"],
  [/^\/domain\/cputune\/shares$/, "changed", "CPU of a VM that is bound to processors is the number of its processors"],
  [/^\/domain\/memtune\/hard_limit$/, "changed", "the limit of an encrypted VM is MEMORY and MEMORY_TUNE_OFFSET of the driver"],
  [/^\/domain\/features\/ioapic$/, "only-in-b", "interrupt remapping of an Intel IOMMU needs the I/O APIC of QEMU"],
  [/^\/domain\/devices\/disk\[[^\]]*\]\/source/, undefined, "OpenNebula keeps disks as copies of their images or links to them"],
  [/^\/domain\/devices\/disk\[[^\]]*\]\/(encryption|auth)$/, "only-in-b", "libvirt shows the secret of a disk with its source when that is where it was written"],
  [/^\/domain\/devices\/interface\[[^\]]*\]\/@type$/, "changed", "OpenNebula attaches NICs to bridges"],
  [/^\/domain\/devices\/disk\[[^\]]*\]\/address/, undefined, "OpenNebula places disks on their controllers itself"],
  [/^\/domain\/devices\/disk\[[^\]]*\]\/readonly$/, "only-in-b", "an image of type CDROM is read-only"],
  [/^\/domain\/devices\/disk\[[^\]]*\]\/serial$/, "only-in-a", "block devices on SCSI bring their own serial numbers"],
  [/^\/domain\/devices\/disk\[[^\]]*\]\/driver(\/@(name|cache|discard|type))?$/, "only-in-b", "OpenNebula names cache and discard also where they are libvirt's defaults"],
  [/^\/domain\/devices\/filesystem\[[^\]]*\]\/(idmap\/|binary|driver)/, undefined, "the host's driver says how directories are shared (UID_MAP, GID_MAP)"],
  [/^\/domain\/devices\/(disk|interface)\[[^\]]*\]\/boot\/@order$/, "changed", "the boot order is counted from 1 again"],
  [/^\/domain\/devices\/(disk|interface)\[[^\]]*\]\/boot$/, "only-in-b", "OS/BOOT names devices where the domain names kinds of devices"],
  [/^\/domain\/devices\/controller\[@type='scsi'\]\[@index='0'\]/, "only-in-b", "every VM has a virtio-scsi controller"],
  [/^\/domain\/devices\/controller\[@type='scsi'\]\[@index='0'\]\/driver\/@iothread$/, "changed", "the SCSI controller takes the thread whose turn it is"],
  [/^\/domain\/devices\/controller\[@type='(pci|sata)'\]/, undefined, "OpenNebula plans the PCI and SATA controllers of a VM itself"],
  [/^\/domain\/devices\/hostdev\[[^\]]*\]\/(address|@managed)/, undefined, "OpenNebula places host devices itself"],
  [/^\/domain\/devices\/interface(\[[^\]]*\])?\/driver/, "only-in-b", "OpenNebula names the queues of a virtio NIC also where there is one"],
  [/^\/domain\/devices\/interface(\[[^\]]*\])?\/model$/, "only-in-b", "a NIC without model gets that of the driver's defaults"],
];
