import { type InterfaceCounters, parseNetDev } from "../codec/kernel-text.ts";
import type { Files } from "../core/ports.ts";

/** Names that kernel and udev give to network cards: whole names, so that VLANs (`eth0.100`), bridges (`br-ens3`) and representors are not counted again. */
const CARDS = new RegExp(`^(${[
  "eth\\d+", "ib\\d+", "em\\d+(_\\d+)?", "p\\d+p\\d+(_\\d+)?",
  ...["eno\\d+", "en(P\\d+)?s\\d+(f\\d+)?", "enx[0-9a-f]{12}", "en(P\\d+)?p\\d+s\\d+(f\\d+)?", "ena\\w*i\\d+"].map((name) => `${name}(v\\d+)?(np\\d+|d\\d+|(u\\d+)+(c\\d+)?(i\\d+)?)?`),
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
  if (name.includes("/")) return false;
  if (files.kind(`/sys/class/net/${name}/device`) === undefined) return CARDS.test(name) && !isBuilt(name, files);
  return CARDS.test(name) || !REPRESENTOR.test(portName(name, files));
}

/** A bridge, bond or VLAN may have a card's name; the kernel links it to what it is built upon. */
function isBuilt(name: string, files: Files): boolean {
  return files.names(`/sys/class/net/${name}`).some((each) => each.startsWith("lower_"));
}

/** Drivers without port names refuse to be read. */
function portName(name: string, files: Files): string {
  try {
    return files.findText(`/sys/class/net/${name}/phys_port_name`)?.trim() ?? "";
  } catch {
    return "";
  }
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}
