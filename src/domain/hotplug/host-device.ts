import { pciAddress } from "../../codec/live-devices.ts";
import { writeXml } from "../../codec/xml-write.ts";
import { OnevirtError } from "../../core/errors.ts";
import { type DomainNode, element } from "../element.ts";
import type { Values } from "./values.ts";

/** A PCI device of the host, or a mediated device, that is to be attached (actions.md 9.3). */
export interface HotHostDevice {
  readonly values: Values;
  /** A virtual function of a network card becomes an interface. */
  readonly isVirtualFunction: boolean;
  /** The address in the guest can be given: the domain has the bridge for it, and nobody is there. */
  readonly placeIsFree: boolean;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const HEX = /^[0-9a-f]{1,8}$/i;

/** The <hostdev>, or the <interface type="hostdev">, of a device. BAD_INPUT for an address that is none. */
export function hostDeviceXml({ values, isVirtualFunction, placeIsFree }: HotHostDevice): string {
  if (values.get("UUID") !== "") {
    const source = element("source", {}, [element("address", { uuid: mediatedUuid(values) })]);
    return writeXml(element("hostdev", { mode: "subsystem", type: "mdev", model: "vfio-pci" }, [source]));
  }
  const address = Object.fromEntries(Object.entries(hostAddress(values)).map(([name, value]) => [name, `0x${value}`]));
  const guest = placeIsFree ? guestPlace(values) : [];
  if (isVirtualFunction) return writeXml(element("interface", { type: "hostdev", managed: "yes" }, [element("source", {}, [element("address", { type: "pci", ...address })]), ...guest]));
  return writeXml(element("hostdev", { mode: "subsystem", type: "pci", managed: "yes" }, [element("source", {}, [element("address", address)]), ...guest]));
}

/** The address on the host's bus; each part hexadecimal without prefix. */
export function hostAddress(values: Values): { readonly domain: string; readonly bus: string; readonly slot: string; readonly function: string } {
  const part = (name: string) => {
    const text = values.get(name).replace(/^0x/i, "");
    if (!HEX.test(text)) throw new OnevirtError("BAD_INPUT", `${name} of the PCI device is ${JSON.stringify(values.get(name).slice(0, 40))}, no hexadecimal number`);
    return text;
  };
  return { domain: part("DOMAIN"), bus: part("BUS"), slot: part("SLOT"), function: part("FUNCTION") };
}

export function mediatedUuid(values: Values): string {
  const uuid = values.get("UUID");
  if (!UUID.test(uuid)) throw new OnevirtError("BAD_INPUT", `UUID of the mediated device is ${JSON.stringify(uuid.slice(0, 60))}, no UUID`);
  return uuid;
}

/** Where the device is wanted in the guest, as `pciAddress` writes it; undefined when it is left to libvirt. */
export function wantedPlace(values: Values): string | undefined {
  const parts = guestParts(values);
  return parts && pciAddress(parts);
}

function guestPlace(values: Values): readonly DomainNode[] {
  const parts = guestParts(values);
  return parts ? [element("address", { type: "pci", ...parts })] : [];
}

function guestParts(values: Values): Readonly<Record<string, string>> | undefined {
  const parts = { domain: values.get("VM_DOMAIN"), bus: values.get("VM_BUS"), slot: values.get("VM_SLOT"), function: values.get("VM_FUNCTION") };
  return Object.values(parts).every((part) => HEX.test(part.replace(/^0x/i, ""))) ? parts : undefined;
}
