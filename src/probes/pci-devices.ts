import { quoted } from "../codec/attribute-text.ts";
import type { PciFilter } from "../codec/pci-filter.ts";
import { PciDatabase, type PciNames } from "../codec/pci-ids.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context, Files } from "../core/ports.ts";
import { interfaceOf, readRenames } from "../monitor/pci-interface.ts";
import { type PciDevice, pciDevices } from "../monitor/pci-inventory.ts";
import { mdevModeOf, vgpuProfiles, vgpuUuid } from "../monitor/vgpu-device.ts";
import { type PciSettings, readPciSettings } from "./pci-settings.ts";
import type { ProbeRequest } from "./probe.ts";

/** Where distributions keep the names of PCI devices. */
const DATABASES = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids"];

export interface DescribedDevice {
  readonly device: PciDevice;
  readonly names: PciNames;
}

/** PCI devices that the administrator selected (monitoring.md 6.6). sysfs has the numbers; only names come from a file, and may be missing. */
export async function run({ driver }: ProbeRequest, context: Context): Promise<string> {
  const settings = readPciSettings(driver, context);
  const devices = describedDevices(settings, context).filter(({ device }) => typeof device.sriov === "string" || device.sriov.virtualFunctions === 0);
  if (devices.length === 0) return "";
  const renames = readRenames(context);
  return devices.map(({ device, names }) => record(attributesOf(device, names, settings, interfaceOf(device, renames, context), context.files))).join("");
}

/** The devices that the settings select, each with its names. */
export function describedDevices(settings: PciSettings, { files }: Pick<Context, "files">): readonly DescribedDevice[] {
  const all = pciDevices(files);
  if (all.length === 0 && files.kind("/sys/bus/pci/devices") === undefined) throw new OnevirtError("FILE_FAILED", "Cannot list the PCI devices: /sys is not there");
  const selected = selectedBy(settings.filters, all);
  if (selected.length === 0) return []; // the common case: nothing more is read
  const database = new PciDatabase(DATABASES.map((path) => files.findText(path)).find((text) => text !== undefined) ?? "");
  return selected.map((device) => ({ device, names: database.namesOf(device) })).filter(({ device, names }) => isReported(device, names, settings));
}

/** Each device once, in the order of the filters. */
function selectedBy(filters: readonly PciFilter[] | undefined, all: readonly PciDevice[]): readonly PciDevice[] {
  return filters === undefined ? all : [...new Set(filters.flatMap((filter) => all.filter(filter)))];
}

function isReported(device: PciDevice, names: PciNames, { shortAddresses, deviceNames, nvidiaVendors }: PciSettings): boolean {
  if (shortAddresses.length > 0 && !shortAddresses.includes(shortAddress(device))) return false;
  if (deviceNames.length > 0 && !deviceNames.some((pattern) => pattern.test(names.device))) return false;
  return !(nvidiaVendors.includes(device.vendor) && device.hasVirtualFunctions); // its functions are what guests get
}

/** `BB:SS.F`. */
export function shortAddress({ bus, slot, function: fn }: PciDevice): string {
  return `${bus}:${slot}.${fn}`;
}

function attributesOf(device: PciDevice, names: PciNames, { nvidiaVendors }: PciSettings, interfaceName: string, files: Files): Readonly<Record<string, string>> {
  const address = `${device.domain}:${device.bus}:${device.slot}:${device.function}`;
  const nvidia = nvidiaVendors.includes(device.vendor);
  const virtual = device.sriov === "vf";
  const ordinary = nvidia ? `${names.vendor} ${names.device}` : names.device;
  return {
    TYPE: `${device.vendor}:${device.device}:${device.class}`,
    VENDOR: device.vendor, VENDOR_NAME: names.vendor, DEVICE: device.device, CLASS: device.class, CLASS_NAME: names.class,
    ADDRESS: address, SHORT_ADDRESS: shortAddress(device), DOMAIN: device.domain, BUS: device.bus, SLOT: device.slot, FUNCTION: device.function,
    NUMA_NODE: device.numaNode?.toString() ?? "-", IFNAME: interfaceName,
    ...(typeof device.sriov === "string" ? { SRIOV: device.sriov } : { SRIOV: "pf", SRIOV_NUM: String(device.sriov.virtualFunctions) }),
    DEVICE_NAME: nvidia && virtual ? "NVIDIA vGPU device" : ordinary,
    ...(nvidia && virtual ? { UUID: vgpuUuid(address), PROFILES: vgpuProfiles(device, files).join(","), MDEV_MODE: mdevModeOf(device, files) } : {}),
  };
}

/** A device as oned's parser reads it. */
export function record(attributes: Readonly<Record<string, string>>): string {
  return `PCI = [\n${Object.entries(attributes).map(([name, value]) => ` ${name} = ${quoted(value)} `).join(",\n")}\n]\n`;
}
