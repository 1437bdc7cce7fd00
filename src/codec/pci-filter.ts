import type { PciIds } from "./pci-ids.ts";

/**
 * Whether a device is what a filter of `lspci -d` selects: `[vendor]:[device][:class]` in hexadecimal, where an empty part or `*`
 * stands for any. A filter that is none of this selects nothing.
 */
export function matchesPciFilter(filter: string, ids: PciIds): boolean {
  const parts = filter.trim().split(":");
  if (parts.length < 2 && parts[0] !== "*") return false;
  const [vendor = "", device = "", code = ""] = parts;
  return isOf(vendor, ids.vendor) && isOf(device, ids.device) && isOf(code, ids.class);
}

/** Compared as numbers: `0` is `0000`. */
function isOf(wanted: string, actual: string): boolean {
  if (wanted === "" || wanted === "*") return true;
  return /^(0x)?[0-9a-f]{1,8}$/i.test(wanted) && Number.parseInt(wanted, 16) === Number.parseInt(actual, 16);
}
