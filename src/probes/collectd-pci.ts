import type { Context } from "../core/ports.ts";
import { describedDevices, type DescribedDevice, record, shortAddress } from "./pci-devices.ts";
import { findPciSettings, type PciSettings } from "./pci-settings.ts";
import type { ProbeRequest } from "./probe.ts";

/** Compat: upstream's filter of 5.4, which has no file for it, selects nothing. */
const NOTHING: PciSettings = { filters: [], shortAddresses: [], deviceNames: [], nvidiaVendors: [] };

/** PCI devices as oned 5.x takes them (monitoring.md 11.1): without what later versions added. */
export async function run({ driver }: ProbeRequest, context: Context): Promise<string> {
  return describedDevices(settingsOf(driver, context), context).map((each) => record(attributesOf(each))).join("");
}

/** pci.conf where 5.6 puts it, or 5.4 (install-and-sync 2.4). */
function settingsOf(driver: string, { files, tree, log }: Context): PciSettings {
  const paths = [`${tree}/etc/im/${driver}-probes.d/pci.conf`, `${tree}/im/${driver}-probes.d/pci.conf`];
  const found = paths.map((path) => findPciSettings(path, { files, log })).find((settings) => settings !== undefined);
  return found ? { ...found, nvidiaVendors: [] } : NOTHING;
}

function attributesOf({ device, names }: DescribedDevice): Readonly<Record<string, string>> {
  const { domain, bus, slot, function: fn } = device;
  return {
    TYPE: `${device.vendor}:${device.device}:${device.class}`, VENDOR: device.vendor, VENDOR_NAME: names.vendor, DEVICE: device.device, DEVICE_NAME: names.device,
    CLASS: device.class, CLASS_NAME: names.class, ADDRESS: `${domain}:${bus}:${slot}:${fn}`, SHORT_ADDRESS: shortAddress(device), DOMAIN: domain, BUS: bus, SLOT: slot, FUNCTION: fn,
  };
}
