import { elementsOf } from "../rewrite.ts";
import { find } from "./numa.ts";
import { type Importer, note, type Piece, raw, vector, type Wild } from "./piece.ts";
import { hasOnly } from "./raw-text.ts";
import type { Reading } from "./reading.ts";

/** INPUT: the first device that libvirt did not add by itself; further ones in RAW. */
export const input: Importer = ({ devices }) => {
  const all = devices?.children("input") ?? [];
  const implied = all.filter(({ element, element: { attributes } }) => attributes["bus"] === "ps2" && ["mouse", "keyboard"].includes(attributes["type"] ?? "") && hasOnly(element, ["type", "bus"]));
  const added = implied.length > 1 ? implied : [];
  for (const each of added) each.finish();
  const [first, ...others] = all.filter((each) => !added.includes(each));
  if (!first) return [];
  const plain = first.child("source") === undefined && first.child("driver") === undefined;
  const own = plain ? vector("INPUT", { TYPE: first.attribute("type"), BUS: first.attribute("bus") }) : [raw("devices", first)];
  return [...own, ...others.map((each) => raw("devices", each))];
};

/** PCI: devices of the host by their address. Mediated, USB and SCSI devices only RAW expresses. */
export const hostDevices: Importer = (wild) => {
  const all = wild.devices?.children("hostdev") ?? [];
  const plain = all.filter(({ element: { attributes } }) => attributes["type"] === "pci");
  const others = all.filter((each) => !plain.includes(each));
  return [...plain.flatMap((each, id) => pci(wild, each, id)), ...others.map((each) => raw("devices", each))];
};

function pci({ q35like }: Wild, own: Reading, id: number): readonly Piece[] {
  const address = find(own.element, "source", "address")[0]?.attributes ?? {};
  const part = (name: string, digits: number) => Number(address[name] ?? 0).toString(16).padStart(digits, "0");
  const [domain, bus, slot, number] = [part("domain", 4), part("bus", 2), part("slot", 2), part("function", 1)];
  for (const name of ["domain", "bus", "slot", "function"]) own.child("source")?.child("address")?.attribute(name);
  for (const name of ["mode", "type", "managed"]) own.attribute(name);
  const place = q35like ? { VM_BUS: hex(id + 1), VM_SLOT: "0000" } : { VM_BUS: "0x01", VM_SLOT: hex(id + 1) };
  const stored = { DOMAIN: domain, BUS: bus, SLOT: slot, FUNCTION: number, PCI_ID: id, VM_DOMAIN: "0x0000", ...place, VM_FUNCTION: "0" };
  const entries = { SHORT_ADDRESS: `${bus}:${slot}.${number}`, IOMMUFD: own.child("driver")?.attribute("iommufd") === "yes" ? "YES" : undefined, ACPI_NODES: own.child("acpi")?.attribute("nodeset") };
  return [...vector("PCI", entries, { stored }), ...(domain === "0000" ? [] : [note(`SHORT_ADDRESS cannot name the PCI domain ${domain} of device ${bus}:${slot}.${number}`)])];
}

function hex(number: number): string {
  return `0x${number.toString(16).padStart(2, "0")}`;
}

/** TPM: an emulated one of version 2.0; any other in RAW. */
export const tpm: Importer = ({ devices }) => (devices?.children("tpm") ?? []).flatMap((own, position): readonly Piece[] => {
  const backend = find(own.element, "backend")[0];
  const { type, version = "2.0", ...others } = backend?.attributes ?? {};
  const usual = position === 0 && type === "emulator" && version === "2.0" && Object.keys(others).length === 0 && backend?.children.every((each) => typeof each === "string");
  if (!usual) return [raw("devices", own)];
  own.child("backend")?.finish();
  return vector("TPM", { MODEL: own.attribute("model") });
});

const MODELS = ["intel", "virtio", "smmuv3", "amd"];

/** IOMMU of the whole VM. */
export const iommu: Importer = ({ devices, q35like }) => (devices?.children("iommu") ?? []).flatMap((own, position): readonly Piece[] => {
  const options = find(own.element, "driver")[0]?.attributes ?? {};
  const model = own.element.attributes["model"] ?? "";
  const plain = hasOnly(own.element, ["model"], ["driver"]) && elementsOf(own.element).every((each) => each.name !== "driver" || elementsOf(each).length === 0);
  const usual = plain && position === 0 && q35like && MODELS.includes(model) && !Object.hasOwn(options, "pciBus") && !(model === "virtio" && Object.keys(options).length > 0);
  if (!usual) return [raw("devices", own)];
  own.finish();
  return vector("IOMMU", { MODEL: model, MODE: "single", OPTIONS: Object.entries(options).map(([name, value]) => `${name}=${value}`).join(" ") });
});
