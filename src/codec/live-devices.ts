import { childrenOf, findAll, findFirst, parseXml, textOf, type XmlElement } from "./xml.ts";

/** A device of a running domain: what it is known by, and its element. */
export interface LiveDevice {
  readonly element: XmlElement;
  /** libvirt's own name of the device, which events carry. */
  readonly alias: string;
}

export interface LiveDisk extends LiveDevice {
  readonly target: string;
  readonly device: string;
  /** File, block device, or name of a network source; undefined for an empty drive. */
  readonly source: string | undefined;
}

export interface LiveInterface extends LiveDevice {
  /** Lower case. */
  readonly mac: string;
}

export interface LiveHostDevice extends LiveDevice {
  /** UUID of a mediated device. */
  readonly uuid: string | undefined;
  /** Address on the host's PCI bus, as four numbers with points. */
  readonly address: string | undefined;
}

export interface LiveMemoryModule extends LiveDevice {
  /** "dimm" for what a resize adds. */
  readonly model: string;
  readonly sizeKiB: number;
}

/** What hotplug needs to know of a running domain. */
export interface LiveDevices {
  readonly disks: readonly LiveDisk[];
  readonly interfaces: readonly LiveInterface[];
  /** Devices of the host, mediated ones and those that are interfaces included. */
  readonly hostDevices: readonly LiveHostDevice[];
  readonly memoryModules: readonly LiveMemoryModule[];
  readonly ioThreads: number;
  /** Aliases of all devices. */
  readonly aliases: ReadonlySet<string>;
  /** Addresses on the guest's PCI bus, as `pciAddress` writes them. */
  readonly guestAddresses: ReadonlySet<string>;
  /** The first NUMA cell; undefined without cells. */
  readonly firstCell: string | undefined;
  readonly currentMemoryKiB: number;
  readonly currentVcpus: number;
}

/** Reads the document of a running domain. BAD_INPUT when it is not XML. */
export function readLiveDevices(xml: string, what: string): LiveDevices {
  const root = parseXml(xml, what);
  const devices = findFirst(root, "devices");
  const all = (devices?.children ?? []).filter((each): each is XmlElement => typeof each === "object");
  const vcpu = findFirst(root, "vcpu");
  const memory = textOf(findFirst(root, "currentMemory")) ?? textOf(findFirst(root, "memory"));
  return {
    disks: childrenOf(devices, "disk").map(disk),
    interfaces: childrenOf(devices, "interface").map((element) => ({ ...device(element), mac: findFirst(element, "mac")?.attributes.address?.toLowerCase() ?? "" })),
    hostDevices: [...childrenOf(devices, "hostdev"), ...childrenOf(devices, "interface").filter(({ attributes }) => attributes.type === "hostdev")].map(hostDevice),
    memoryModules: childrenOf(devices, "memory").map(memoryModule),
    ioThreads: Number(textOf(findFirst(root, "iothreads"))) || 0,
    aliases: new Set(all.flatMap((each) => findFirst(each, "alias")?.attributes.name ?? [])),
    guestAddresses: new Set(all.flatMap((each) => childrenOf(each, "address").filter(({ attributes }) => attributes.type === "pci").map(({ attributes }) => pciAddress(attributes)))),
    firstCell: findAll(root, "cpu", "numa", "cell")[0]?.attributes.id,
    currentMemoryKiB: Number(memory) || 0,
    currentVcpus: Number(vcpu?.attributes.current ?? textOf(vcpu)) || 0,
  };
}

/** A PCI address as four numbers, however its parts are written. */
export function pciAddress({ domain = "0", bus = "0", slot = "0", function: part = "0" }: Readonly<Record<string, string | undefined>>): string {
  return [domain, bus, slot, part].map((each) => Number.parseInt(each.replace(/^0x/i, "") || "0", 16)).join(".");
}

function device(element: XmlElement): LiveDevice {
  return { element, alias: findFirst(element, "alias")?.attributes.name ?? "" };
}

function disk(element: XmlElement): LiveDisk {
  const source = findFirst(element, "source")?.attributes;
  return {
    ...device(element),
    target: findFirst(element, "target")?.attributes.dev ?? "",
    device: element.attributes.device ?? "disk",
    source: source && (source.file ?? source.dev ?? source.name ?? source.volume ?? source.dir),
  };
}

/** libvirt gives sizes in KiB. */
function memoryModule(element: XmlElement): LiveMemoryModule {
  return { ...device(element), model: element.attributes.model ?? "", sizeKiB: Number(textOf(findFirst(element, "target", "size"))) || 0 };
}

function hostDevice(element: XmlElement): LiveHostDevice {
  const address = findFirst(element, "source", "address")?.attributes;
  return { ...device(element), uuid: address?.uuid?.toLowerCase(), address: address && address.uuid === undefined ? pciAddress(address) : undefined };
}
