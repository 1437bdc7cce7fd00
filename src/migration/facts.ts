import { childrenOf, findAll, findFirst, parseXml, textOf, type XmlElement } from "../codec/xml.ts";
import type { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf } from "../core/errors.ts";
import type { CpuComparison, DomainStatus, Files, Hypervisor } from "../core/ports.ts";
import type { DestinationAddress } from "./destination-address.ts";
import { type PlannedDisk, planDisks, readDisks } from "./disks.ts";

/** An answer, or why there is none. */
export type Answer<T> = { readonly value: T } | { readonly unknown: string };

/** What both sides say before anything happens. */
export interface MigrationFacts {
  readonly domain: DomainStatus;
  readonly disks: readonly PlannedDisk[];
  /** Devices of the host that the guest has: type and source in words. */
  readonly hostDevices: readonly string[];
  /** Directories of the host that the guest has mounted with virtiofs. */
  readonly virtiofs: boolean;
  readonly snapshots: readonly string[];
  readonly sameHost: Answer<boolean>;
  /** What the destination has under this UUID, and under this name. */
  readonly there: DomainStatus | undefined;
  readonly sameName: DomainStatus | undefined;
  readonly machine: string;
  /** "" when the destination can run the machine type, else what it says. */
  readonly machineRefused: Answer<string>;
  /** How the CPU of the guest compares with the destination's; undefined where it does not matter. */
  readonly cpu: Answer<CpuComparison> | undefined;
  /** Whether the kernel of this host keeps unprivileged programs, QEMU among them, from what post-copy needs. */
  readonly userfaultsDenied: boolean;
  /** Where QEMU here is told to send the memory; undefined where no name is used, or where this program does not run on the source. */
  readonly address: Answer<DestinationAddress> | undefined;
}

const USERFAULTS = "/proc/sys/vm/unprivileged_userfaultfd";

/** Where the facts come from. */
export interface Witnesses {
  readonly source: Hypervisor;
  readonly destination: Hypervisor;
  readonly files: Files;
  /** Kept when the destination is connected to, or cannot be: a question before would wait for a connection of its own. */
  readonly connected?: Promise<void> | undefined;
  /** Finds out what the destination calls itself, and what that is here; absent where nobody needs to know. */
  readonly address?: ((destination: Hypervisor) => Promise<DestinationAddress>) | undefined;
}

/** Asks both sides. LIBVIRT_UNREACHABLE when one of them does not answer; what only one question does not answer stays unknown. */
export async function gatherFacts(domain: DomainStatus, shared: boolean, { source, destination, files, connected, address }: Witnesses, deadline: Deadline): Promise<MigrationFacts> {
  const ofDestination = async (ref: string) => (await connected, destination.find(ref, deadline));
  const [there, sameName, xml, snapshots, here] = await Promise.all([
    ofDestination(domain.uuid), ofDestination(domain.name),
    source.domainXml(domain.uuid, {}, deadline), source.snapshots.names(domain.uuid, deadline), answer(source.node.capabilities(deadline)),
  ]);
  const named = address && address(destination).then((value) => ({ value }), (error: unknown) => ({ unknown: messageOf(error) })); // meanwhile
  const root = parseXml(xml, `the document of "${domain.name}"`);
  const type = findFirst(root, "os", "type")?.attributes ?? {};
  const kind = root.attributes.type ?? "";
  const [sameMachine, sameHost, cpu] = await Promise.all([
    answer(destination.node.domainCapabilities(type.arch, type.machine, kind, deadline).then(() => "", refusedByLibvirt)),
    answer(isSameHost(here, destination, deadline)), compareCpu(xml, root, here, destination, deadline),
  ]);
  return {
    domain, there, sameName, snapshots, cpu, sameHost, disks: planDisks(readDisks(root), shared, files), hostDevices: hostDevicesOf(root),
    virtiofs: findAll(root, "devices", "filesystem", "driver").some(({ attributes }) => attributes.type === "virtiofs"), machine: type.machine ?? "", machineRefused: sameMachine,
    userfaultsDenied: files.findText(USERFAULTS)?.trim() === "0", address: await named,
  };
}

async function answer<T>(question: Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await question };
  } catch (error) {
    if (hasCode(error, "LIBVIRT_UNREACHABLE", "CONNECTION_LOST", "TIMED_OUT")) throw error;
    return { unknown: messageOf(error) };
  }
}

/** libvirt has no capabilities of a machine type that the emulator does not have. */
function refusedByLibvirt(error: unknown): string {
  if (hasCode(error, "LIBVIRT_FAILED") && error.libvirt) return error.libvirt.text;
  throw error;
}

async function isSameHost(here: Answer<string>, destination: Hypervisor, deadline: Deadline): Promise<boolean> {
  const uuid = "value" in here ? hostUuid(here.value) : undefined;
  return uuid !== undefined && hostUuid(await destination.node.capabilities(deadline)) === uuid;
}

/** The part about the host comes first; the ten times longer rest is about guests. */
function hostUuid(capabilities: string): string | undefined {
  const host = elementText(capabilities, "host");
  return host === undefined ? undefined : textOf(findFirst(parseXml(host, "the capabilities of the host"), "uuid"))?.trim();
}

/** An emulated guest has the same CPU everywhere. host-passthrough is the source's own CPU; everything else stands in the document. */
async function compareCpu(xml: string, root: XmlElement, here: Answer<string>, destination: Hypervisor, deadline: Deadline): Promise<Answer<CpuComparison> | undefined> {
  const cpu = findFirst(root, "cpu");
  if (root.attributes.type !== "kvm" || !cpu) return undefined;
  const mode = cpu.attributes.mode ?? "custom";
  if (mode === "maximum" || (mode === "custom" && !findFirst(cpu, "model"))) return undefined;
  const text = mode === "host-passthrough" ? ("value" in here ? elementText(here.value, "cpu") : undefined) : elementText(xml, "cpu");
  return text === undefined ? { unknown: "the CPU of the source is not known" } : answer(destination.node.compareCpu(text, deadline));
}

/** The first element of this name, as it stands in the text. */
function elementText(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}(?:\\s[^>]*)?>[\\s\\S]*?</${name}>`).exec(xml)?.[0];
}

/** Devices of the host that cannot follow the guest; an interface with a partner for failover is taken out by libvirt itself. */
function hostDevicesOf(root: XmlElement): readonly string[] {
  const devices = findFirst(root, "devices");
  const plain = childrenOf(devices, "hostdev").filter((each) => !findFirst(each, "teaming") && each.attributes.type !== "usb").map((each) => `${each.attributes.type ?? "host"} device ${findFirst(each, "alias")?.attributes.name ?? ""}`.trim());
  const interfaces = childrenOf(devices, "interface").filter((each) => each.attributes.type === "hostdev" && !findFirst(each, "teaming")).map((each) => `interface ${findFirst(each, "mac")?.attributes.address ?? ""}`.trim());
  return [...plain, ...interfaces];
}
