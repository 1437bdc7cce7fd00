import { isXmlText, writeXml } from "../codec/xml-write.ts";
import { clock } from "./devices/clock.ts";
import { contextDisk } from "./devices/context-disk.ts";
import { cpu } from "./devices/cpu.ts";
import { cputune } from "./devices/cputune.ts";
import { disks } from "./devices/disk.ts";
import { emulator } from "./devices/emulator.ts";
import { features } from "./devices/features.ts";
import { graphics } from "./devices/graphics.ts";
import { guestAgent } from "./devices/guest-agent.ts";
import { head } from "./devices/head.ts";
import { hostDevices } from "./devices/hostdev.ts";
import { inputDevice } from "./devices/input-device.ts";
import { interfaces } from "./devices/interface.ts";
import { iommu } from "./devices/iommu.ts";
import { iothreads } from "./devices/iothreads.ts";
import { memoryBacking } from "./devices/memory-backing.ts";
import { memoryEncryption } from "./devices/memory-encryption.ts";
import { memorySize } from "./devices/memory-size.ts";
import { metadata } from "./devices/metadata.ts";
import { os, powerManagement } from "./devices/os.ts";
import { pciControllers, tpm } from "./devices/pci-controllers.ts";
import { raw } from "./devices/raw.ts";
import { scsiController } from "./devices/scsi-controller.ts";
import { vcpu } from "./devices/vcpu.ts";
import { video } from "./devices/video.ts";
import { type DomainElement, element, nodesOf, type Part, warning, warningsOf } from "./element.ts";
import { type Contributor, type Facts, factsOf } from "./facts.ts";
import { checkFirmware } from "./firmware-list.ts";
import type { DomainInput } from "./input.ts";

/** A domain document, what the log should say about it, and the tree that knows where each part comes from. */
export interface GeneratedDomain {
  readonly xml: string;
  readonly warnings: readonly string[];
  readonly root: DomainElement;
}

/** The order of the document. It is OpenNebula's, not that of libvirt's own documents. */
const BEFORE_DEVICES: readonly Contributor[] = [head, vcpu, cputune, memorySize, os, powerManagement, cpu, iothreads];
const DEVICES: readonly Contributor[] = [emulator, disks, contextDisk, scsiController, interfaces, graphics, video, inputDevice, iommu, hostDevices, pciControllers, tpm];
const AFTER_DEVICES: readonly Contributor[] = [memoryBacking, features, clock, guestAgent, memoryEncryption, raw, metadata];

/** Generates the libvirt document of a VM. Nothing is written when it fails: BAD_INPUT. */
export function generateDomain(input: DomainInput): GeneratedDomain {
  checkFirmware(input);
  const facts = factsOf(input);
  const devices = partsOf(DEVICES, facts);
  const section = element("devices", {}, nodesOf(devices), { rule: "every domain has devices" });
  const [before, after] = [partsOf(BEFORE_DEVICES, facts), partsOf(AFTER_DEVICES, facts)];
  const root = element("domain", { type: input.emulator, "xmlns:qemu": "http://libvirt.org/schemas/domain/qemu/1.0" },
    [...nodesOf(before), section, ...nodesOf(after)], { rule: "an OpenNebula VM is a libvirt domain" });
  const xml = writeXml(root);
  const replaced = xml.includes("\ufffd") ? replacedCharacters(facts) : [];
  return { xml, root, warnings: warningsOf([...before, ...devices, ...after, ...ignoredAttributes(facts), ...replaced]) };
}

function partsOf(contributors: readonly Contributor[], facts: Facts): readonly Part[] {
  return contributors.flatMap((contribute) => contribute(facts));
}

/** Compat: OpenNebula leaves these in the user template, and so ignores them. */
function ignoredAttributes({ input: { vm } }: Facts): readonly Part[] {
  const names = ["HYPERV_TIMERS", "MEMORY_TUNE_OFFSET"].filter((name) => [...vm.template, ...vm.userTemplate].some((each) => each.name === name));
  return names.map((name) => warning(`${name} of a VM has no effect: set it on the host, in the cluster or in the driver defaults.`));
}

function replacedCharacters({ input: { vm } }: Facts): readonly Part[] {
  const values = vm.template.flatMap((each) => (each.kind === "single" ? [[each.name, each.value]] : [...each.entries].map(([key, { value }]) => [`${each.name}/${key}`, value])));
  const bad = values.flatMap(([name = "", value = ""]) => (isXmlText(value) ? [] : [name]));
  return bad.map((name) => warning(`${name} holds a character that XML does not allow; where it is written, U+FFFD stands for it.`));
}
