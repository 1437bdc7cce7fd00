import { childrenOf, findAll, findFirst, parseXml, textOf, type XmlElement } from "./xml.ts";

/** What libvirt says of one kind of guest. */
export interface GuestSupport {
  readonly arch: string;
  /** Machine names, of the best way to run such a guest that lists any. */
  readonly machines: readonly string[];
}

/** What probes need of libvirt's capabilities. */
export interface HostCapabilities {
  readonly cpuModel: string | undefined;
  readonly guests: readonly GuestSupport[];
}

/** Ways to run a guest, best first; then the architecture's own list. */
const DOMAIN_TYPES = ["kvm", "kqemu", "qemu"];

/** Reads the answer of virConnectGetCapabilities. BAD_INPUT when it is not XML. */
export function readCapabilities(xml: string): HostCapabilities {
  const root = parseXml(xml, "the capabilities of libvirt");
  return {
    cpuModel: textOf(findFirst(root, "host", "cpu", "model"))?.trim() || undefined,
    guests: findAll(root, "guest", "arch").map((arch) => ({ arch: arch.attributes.name ?? "", machines: machinesOf(arch) })),
  };
}

function machinesOf(arch: XmlElement): readonly string[] {
  const domains = DOMAIN_TYPES.flatMap((type) => childrenOf(arch, "domain").find(({ attributes }) => attributes.type === type) ?? []);
  return [...domains, arch].map((each) => texts(childrenOf(each, "machine"))).find((names) => names.length > 0) ?? [];
}

/** CPU models that guests can be given by name, from domain capabilities. */
export function readCpuModels(xml: string): readonly string[] {
  const modes = findAll(parseXml(xml, "the domain capabilities of libvirt"), "cpu", "mode");
  const custom = modes.filter(({ attributes }) => attributes.name === "custom" && attributes.supported === "yes");
  return texts(custom.flatMap((mode) => childrenOf(mode, "model")).filter(({ attributes }) => attributes.usable !== "no"));
}

export type MemoryEncryption = "NONE" | "SEV" | "SEV-ES" | "SEV-SNP" | "TDX";

/** How guests' memory can be encrypted, from domain capabilities. The absence of one technique says nothing about the other. */
export function readMemoryEncryption(xml: string): MemoryEncryption {
  const features = findFirst(parseXml(xml, "the domain capabilities of libvirt"), "features");
  const sev = childrenOf(features, "sev").find(isSupported);
  if (sev === undefined) return childrenOf(features, "tdx").some(isSupported) ? "TDX" : "NONE";
  if (childrenOf(sev, "sevsnp").some(isSupported)) return "SEV-SNP";
  return textOf(findFirst(sev, "maxESGuests"))?.trim() === "0" ? "SEV" : "SEV-ES";
}

/** Names of the features of a <cpu> element, in its order. */
export function readCpuFeatures(xml: string): readonly string[] {
  return childrenOf(parseXml(xml, "the CPU of libvirt"), "feature").flatMap(({ attributes }) => attributes.name ?? []);
}

function isSupported({ attributes }: XmlElement): boolean {
  return attributes.supported === "yes";
}

function texts(elements: readonly XmlElement[]): readonly string[] {
  return elements.flatMap((element) => textOf(element)?.trim() || []);
}
