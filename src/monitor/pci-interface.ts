import { messageOf } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import type { PciDevice } from "./pci-inventory.ts";

/** Where names of network cards are kept for the time when a card belongs to a guest (monitoring.md 6.6). The agent clears it at its start. */
export const PCI_NAMES_DIRECTORY = "/var/tmp/one_db/pci_net_names";
const RENAME_RULES = "/etc/udev/rules.d/99-rename.rules";

/** Names that administrators gave to cards, by address: comments `# ADDRESS <- name` of the file of udev rules. */
export function renamedInterfaces(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/^#\s*([0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\s*<-\s*(\S+)\s*$/gim)].map(([, address = "", name = ""]) => [address.toLowerCase(), name]));
}

export function readRenames({ files }: Pick<Context, "files">): ReadonlyMap<string, string> {
  return renamedInterfaces(files.findText(RENAME_RULES) ?? "");
}

/** The network interface of a device; "-" when it has none, or several that are alike. A card that a guest has keeps the name it had. */
export function interfaceOf(device: PciDevice, renames: ReadonlyMap<string, string>, { files, log }: Pick<Context, "files" | "log">): string {
  const renamed = renames.get(device.name);
  if (renamed !== undefined) return renamed;
  const kept = `${PCI_NAMES_DIRECTORY}/${device.name}`;
  const before = files.findText(kept, 256)?.trim();
  const now = presentInterface(device, files);
  if (now === undefined) return before || "-";
  try {
    if (now !== before) files.writeAtomic(kept, now, 0o640, { flush: false });
  } catch (error) {
    log.log("WARN", `The name of ${now} is not kept: ${messageOf(error)}`);
  }
  return now;
}

/** The only interface, or the one that is a port of the card itself and of no virtual function. */
function presentInterface({ path }: PciDevice, files: Context["files"]): string | undefined {
  const names = files.names(`${path}/net`);
  return names.length <= 1 ? names[0] : names.find((name) => /^p\d+$/.test(portName(`${path}/net/${name}`, files)));
}

/** Drivers without port names refuse to be read. */
function portName(path: string, files: Context["files"]): string {
  try {
    return files.findText(`${path}/phys_port_name`)?.trim() ?? "";
  } catch {
    return "";
  }
}
