import { parseProbeSettings, stringsOf } from "../codec/probe-settings.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import type { ProbeRequest } from "./probe.ts";

/** pci.conf (monitoring.md 8.1). */
export interface PciSettings {
  /** Filters of `lspci -d`; undefined selects everything. */
  readonly filters: readonly string[] | undefined;
  readonly shortAddresses: readonly string[];
  readonly deviceNames: readonly RegExp[];
  readonly nvidiaVendors: readonly string[];
}

/** The file of the driver that asks. A missing file, as upstream has it, is an error: what was chosen there must not silently vanish from oned. */
export function readPciSettings(driver: ProbeRequest["driver"], { files, tree }: Pick<Context, "files" | "tree">): PciSettings {
  const path = `${tree}/etc/im/${driver}-probes.d/pci.conf`;
  const settings = findPciSettings(path, files);
  if (!settings) throw new OnevirtError("BAD_CONFIG", `Cannot read "${path}": no such file or directory`);
  return settings;
}

/** What a file says; undefined when it is not there. */
export function findPciSettings(path: string, files: Context["files"]): PciSettings | undefined {
  const text = files.findText(path, 1024 * 1024);
  if (text === undefined) return undefined;
  const settings = parseProbeSettings(text, path);
  return {
    filters: "filter" in settings ? stringsOf(settings.filter)?.flatMap((each) => each.split(",")) : ["0:0"],
    shortAddresses: stringsOf(settings.short_address) ?? [],
    deviceNames: (stringsOf(settings.device_name) ?? []).map((pattern) => asPattern(pattern, path)),
    nvidiaVendors: stringsOf(settings.nvidia_vendors) ?? ["10de"],
  };
}

function asPattern(pattern: string, path: string): RegExp {
  try {
    return new RegExp(pattern, "i");
  } catch (cause) {
    throw new OnevirtError("BAD_CONFIG", `Cannot use "${path}": ${JSON.stringify(pattern)} is no regular expression`, { cause });
  }
}
