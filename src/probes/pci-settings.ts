import { type PciFilter, readPciFilter } from "../codec/pci-filter.ts";
import { parseProbeSettings, stringsOf } from "../codec/probe-settings.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import type { ProbeRequest } from "./probe.ts";

/** pci.conf (monitoring.md 8.1). */
export interface PciSettings {
  /** Filters of `lspci -d`; undefined selects everything. */
  readonly filters: readonly PciFilter[] | undefined;
  readonly shortAddresses: readonly string[];
  readonly deviceNames: readonly RegExp[];
  readonly nvidiaVendors: readonly string[];
}

/** The file of the driver that asks. A missing file, as upstream has it, is an error: what was chosen there must not silently vanish from oned. */
export function readPciSettings(driver: ProbeRequest["driver"], { files, tree, log }: Pick<Context, "files" | "tree" | "log">): PciSettings {
  const path = `${tree}/etc/im/${driver}-probes.d/pci.conf`;
  const settings = findPciSettings(path, { files, log });
  if (!settings) throw new OnevirtError("BAD_CONFIG", `Cannot read "${path}": no such file or directory`);
  return settings;
}

/** What a file says; undefined when it is not there. */
export function findPciSettings(path: string, { files, log }: Pick<Context, "files" | "log">): PciSettings | undefined {
  const text = files.findText(path, 1024 * 1024);
  if (text === undefined) return undefined;
  const settings = parseProbeSettings(text, path);
  return {
    filters: "filter" in settings ? stringsOf(settings.filter)?.flatMap((each) => each.split(",")).flatMap((each) => asFilter(each, path, log)) : [],
    shortAddresses: stringsOf(settings.short_address) ?? [],
    deviceNames: (stringsOf(settings.device_name) ?? []).map((pattern) => asPattern(pattern, path)),
    nvidiaVendors: stringsOf(settings.nvidia_vendors) ?? ["10de"],
  };
}

/** As with `lspci`, one that is none selects nothing and leaves the others. */
function asFilter(text: string, path: string, log: Context["log"]): readonly PciFilter[] {
  const filter = readPciFilter(text);
  if (!filter) log.log("WARN", `"${path}": ${JSON.stringify(text)} is no filter of PCI devices, VENDOR:DEVICE or VENDOR:DEVICE:CLASS is expected`);
  return filter ? [filter] : [];
}

function asPattern(pattern: string, path: string): RegExp {
  try {
    return new RegExp(pattern, "i");
  } catch (cause) {
    throw new OnevirtError("BAD_CONFIG", `Cannot use "${path}": ${JSON.stringify(pattern)} is no regular expression`, { cause });
  }
}
