import { sourceAll, sourceText, writeSourceXml } from "./source-xml.ts";
import type { SourceElement } from "./source-xml.ts";

const NICS = ["NIC", "NIC_ALIAS", "PCI"] as const;

/** Names of the network drivers of a VM: each VN_MAD once, in the order of NICs, aliases, PCI devices (driver-protocol.md 11.1). */
export function networkDrivers(vm: SourceElement): readonly string[] {
  return [...new Set(networkDevices(vm).map((device) => sourceText(device, "VN_MAD") ?? ""))];
}

/** Parts of the VM that network scripts get, by the release that began to send them. */
const PARTS: readonly { readonly path: readonly string[]; readonly since?: number }[] = [
  { path: ["ID"] },
  { path: ["DEPLOY_ID"] },
  { path: ["TEMPLATE", "CONTEXT"] },
  { path: ["USER_TEMPLATE"] },
  { path: ["TEMPLATE", "SECURITY_GROUP_RULE"] },
  { path: ["HISTORY_RECORDS", "HISTORY", "HOSTNAME"] },
  { path: ["HISTORY_RECORDS", "HISTORY", "HID"], since: 600 },
  { path: ["HISTORY_RECORDS", "HISTORY", "DS_ID"], since: 510 },
  { path: ["HISTORY_RECORDS", "HISTORY", "VM_MAD"] },
];

/** The reduced VM document: copies of the parts and of the NICs, each in containers of its own, as upstream writes it. `release` as in `Release`. */
export function networkDocument(vm: SourceElement, release: number): string {
  const parts = PARTS.filter(({ since = 0 }) => release >= since).flatMap(({ path }) => sourceAll(vm, ...path).map((found) => wrapped(found, path.slice(0, -1))));
  const nics = networkDevices(vm).map((device) => wrapped(device, ["TEMPLATE"]));
  return `<VM>${[...parts, ...nics].join("")}</VM>`;
}

function networkDevices(vm: SourceElement): readonly SourceElement[] {
  return NICS.flatMap((name) => sourceAll(vm, "TEMPLATE", name)).filter((device) => (sourceText(device, "VN_MAD") ?? "") !== "");
}

function wrapped(element: SourceElement, containers: readonly string[]): string {
  return containers.reduceRight((inner, name) => `<${name}>${inner}</${name}>`, writeSourceXml(element));
}
