import type { PciIds } from "./pci-ids.ts";

/** Parts of a filter of `lspci -d`; digits of a class may be `x`. */
const FILTER = /^(?:\*|(?<vendor>HEX)?:(?<device>HEX)?(?::(?<class>(?:0x)?[0-9a-fx]{1,4}|\*)?(?::(?<interface>HEX)?)?)?)$/.source.replaceAll("HEX", "(?:0x)?[0-9a-f]{1,8}|\\*");

/** Whether a device is what a filter selects. */
export type PciFilter = (ids: PciIds) => boolean;

/**
 * Reads a filter of `lspci -d`: `[vendor]:[device][:class[:interface]]` in hexadecimal, where an empty part or `*` stands for any.
 * Undefined for what is none.
 */
export function readPciFilter(filter: string): PciFilter | undefined {
  const parts = new RegExp(FILTER, "i").exec(filter.trim())?.groups;
  return parts && ((ids) => isOf(parts.vendor, ids.vendor) && isOf(parts.device, ids.device) && isOf(parts.class, ids.class) && isOf(parts.interface, ids.interface));
}

/** Compared as numbers: `0` is `0000`. */
function isOf(wanted: string | undefined, actual: string): boolean {
  if (wanted === undefined || wanted === "*") return true;
  const digits = wanted.toLowerCase().replace(/^0x/, "").padStart(actual.length, "0");
  return digits.length === actual.length ? [...digits].every((digit, index) => digit === "x" || digit === actual[index]) : Number.parseInt(digits, 16) === Number.parseInt(actual, 16);
}
