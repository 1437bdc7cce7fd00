import type { PciIds } from "../codec/pci-ids.ts";
import type { Files } from "../core/ports.ts";

/** Where the kernel lists the devices of the PCI buses. */
export const DEVICES = "/sys/bus/pci/devices";

/** A device of the host's PCI buses, as sysfs shows it. */
export interface PciDevice extends PciIds {
  /** DDDD:BB:SS.F, as the kernel writes it. */
  readonly name: string;
  readonly path: string;
  readonly domain: string;
  readonly bus: string;
  readonly slot: string;
  readonly function: string;
  /** Undefined when the device belongs to no NUMA node. */
  readonly numaNode: number | undefined;
  /** A virtual function, or a card that can have some: how many it has now. */
  readonly sriov: "vf" | "no" | { readonly virtualFunctions: number };
  /** The card has its first virtual function. */
  readonly hasVirtualFunctions: boolean;
}

/** All devices in the order of their addresses. One that vanishes while it is read is left out. */
export function pciDevices(files: Files): readonly PciDevice[] {
  return [...files.names(DEVICES)].sort().flatMap((name) => readDevice(name, files) ?? []);
}

function readDevice(name: string, files: Files): PciDevice | undefined {
  const [, domain, bus, slot, fn] = /^([0-9a-f]{4,}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/.exec(name) ?? [];
  const path = `${DEVICES}/${name}`;
  const [vendor, device, code] = ["vendor", "device", "class"].map((file) => files.findText(`${path}/${file}`)?.trim().replace(/^0x/, ""));
  if (domain === undefined || bus === undefined || slot === undefined || fn === undefined || vendor === undefined || device === undefined || code === undefined) return undefined;
  const node = Number(files.findText(`${path}/numa_node`)?.trim() ?? -1);
  return {
    name, path, domain, bus, slot, function: fn, vendor, device, class: code.slice(0, 4), interface: code.slice(4),
    numaNode: node >= 0 ? node : undefined,
    sriov: sriovOf(path, files),
    hasVirtualFunctions: files.kind(`${path}/virtfn0`) !== undefined,
  };
}

function sriovOf(path: string, files: Files): PciDevice["sriov"] {
  if (files.kind(`${path}/physfn`) !== undefined) return "vf";
  const present = files.findText(`${path}/sriov_numvfs`);
  return present === undefined && files.kind(`${path}/sriov_totalvfs`) === undefined ? "no" : { virtualFunctions: Number(present?.trim() ?? 0) };
}
