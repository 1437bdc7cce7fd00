import { type InterfaceCounters, parseNetDev } from "../codec/kernel-text.ts";
import type { Files } from "../core/ports.ts";

/** Names that kernel and udev give to network cards: whole names, so that VLANs (`eth0.100`), bridges (`br-ens3`) and representors are not counted again. */
const CARDS = new RegExp(`^(${[
  "eth\\d+", "ib\\d+", "em\\d+(_\\d+)?", "p\\d+p\\d+(_\\d+)?", "eno\\d+(np\\d+|d\\d+)?", "ens\\d+(f\\d+)?(np\\d+|d\\d+)?", "enx[0-9a-f]{12}",
  "en(P\\d+)?p\\d+s\\d+(f\\d+)?(np\\d+|d\\d+)?", "ena\\w*i\\d+(np\\d+|d\\d+)?",
].join("|")})$`);

/** Ports of a card's virtual functions, which the host sees beside the card itself. */
const REPRESENTOR = /^(c\d+)?pf\d+(vf|sf)\d+$/;

/** Bytes that the host's own cards have received and sent since boot; undefined when the kernel does not tell. */
export function cardTraffic(files: Files): Pick<InterfaceCounters, "rxBytes" | "txBytes"> | undefined {
  const text = files.findText("/proc/net/dev");
  if (text === undefined) return undefined;
  const cards = parseNetDev(text).filter(({ name }) => isCard(name, files));
  return { rxBytes: sum(cards.map(({ rxBytes }) => rxBytes)), txBytes: sum(cards.map(({ txBytes }) => txBytes)) };
}

/** By its name, or, when an administrator gave it another, because a device stands behind it. */
function isCard(name: string, files: Files): boolean {
  if (CARDS.test(name)) return true;
  if (name.includes("/") || files.kind(`/sys/class/net/${name}/device`) === undefined) return false;
  return !REPRESENTOR.test(portName(name, files));
}

/** Drivers without port names refuse to be read. */
function portName(name: string, files: Files): string {
  try {
    return files.findText(`/sys/class/net/${name}/phys_port_name`)?.trim() ?? "";
  } catch {
    return "";
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
