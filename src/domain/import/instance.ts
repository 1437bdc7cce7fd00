import type { Attribute, Attributes } from "../../codec/attributes.ts";
import { parseTemplate } from "../../codec/template.ts";
import { trimmed } from "../../codec/attributes.ts";
import { type WritableElement, writeXml } from "../../codec/xml-write.ts";
import { architectureOf } from "../defaults.ts";
import type { DomainTexts } from "../input.ts";
import type { ImportedDomain } from "./import-domain.ts";
import type { VectorPiece } from "./piece.ts";
import { templateLines } from "./template-lines.ts";

/** Number of the VM, as long as there is none. */
const ID = "0";

/**
 * What the generator would be given for a VM of the template: the printed text as OpenNebula reads it, with the numbers, places
 * and keys of images that it adds (domain-xml.md 5).
 */
export function instanceOf(imported: ImportedDomain, cgroups: 1 | 2): DomainTexts {
  const attributes = trimmed(parseTemplate(templateLines(imported.template), "the template"));
  const id = /^one-(\d+)$/.exec(imported.name)?.[1] ?? ID;
  const firmware = valueOf(attributes, "OS", "FIRMWARE") ?? "";
  return {
    vm: { name: "the template", text: document(id, stored(attributes, imported)) },
    // The list of the host must have the firmware; that is said beside it.
    host: firmware.startsWith("/") ? { name: "host", text: `OVMF_UEFIS = ${JSON.stringify(firmware)}` } : undefined,
    architecture: architectureOf(imported.arch === "aarch64" ? "aarch64" : "x86_64"),
    emulator: imported.type === "qemu" ? "qemu" : "kvm",
    cgroups,
    randomHex: () => "0".repeat(64),
  };
}

/** The template as OpenNebula stores it with a VM. */
function stored(attributes: Attributes, { template }: ImportedDomain): Attributes {
  const pieces = Map.groupBy(template.filter((each): each is VectorPiece => each.kind === "vector"), ({ name }) => name);
  const counts = new Map<string, number>();
  const boot = (valueOf(attributes, "OS", "BOOT") ?? "").split(",");
  const found = attributes.map((each): Attribute => {
    if (each.kind === "single") return each;
    const number = counts.get(each.name) ?? 0;
    counts.set(each.name, number + 1);
    const added = { ...pieces.get(each.name)?.[number]?.stored, ...numbers(each.name, number, boot) };
    return { ...each, entries: new Map([...each.entries, ...Object.entries(added).map(([key, value]) => [key, { value }] as const)]) };
  });
  return [...found, ...hostNode(attributes)];
}

/** Number and place in the boot order; NICs and disks only. */
function numbers(name: string, number: number, boot: readonly string[]): Readonly<Record<string, string>> {
  if (name !== "DISK" && name !== "NIC") return {};
  const order = boot.indexOf(`${name.toLowerCase()}${number}`);
  return { [`${name}_ID`]: String(number), ...(order >= 0 ? { ORDER: String(order + 1) } : {}) };
}

/** A VM with huge pages that is not pinned gets one NUMA node. */
function hostNode(attributes: Attributes): Attributes {
  const needed = valueOf(attributes, "TOPOLOGY", "HUGEPAGE_SIZE") !== undefined && valueOf(attributes, "TOPOLOGY", "PIN_POLICY") === undefined;
  const text = (name: string) => attributes.find((each) => each.kind === "single" && each.name === name) as { readonly value: string } | undefined;
  if (!needed) return [];
  const memory = String(Number(text("MEMORY")?.value ?? 0) * 1024);
  return [{ kind: "vector", name: "NUMA_NODE", entries: new Map([["TOTAL_CPUS", { value: text("VCPU")?.value ?? "1" }], ["MEMORY", { value: memory }]]) }];
}

function valueOf(attributes: Attributes, vector: string, key: string): string | undefined {
  const found = attributes.find((each) => each.kind === "vector" && each.name === vector);
  return found?.kind === "vector" ? found.entries.get(key)?.value : undefined;
}

function document(id: string, template: Attributes): string {
  const name = template.find((each) => each.kind === "single" && each.name === "NAME");
  const fields = { ID: id, UID: "0", GID: "0", UNAME: "oneadmin", GNAME: "oneadmin", NAME: name?.kind === "single" ? name.value : "", STIME: "0" };
  const record = section("HISTORY", Object.entries({ SEQ: "0", DS_ID: "0", VM_MAD: "kvm", STIME: "0" }).map(([key, text]) => leaf(key, text)));
  const attributes = template.map((each) => (each.kind === "single" ? leaf(each.name, each.value) : section(each.name, [...each.entries].map(([key, { value }]) => leaf(key, value)))));
  return writeXml(section("VM", [...Object.entries(fields).map(([key, text]) => leaf(key, text)), section("TEMPLATE", attributes), section("HISTORY_RECORDS", [record])]));
}

function section(name: string, nodes: readonly WritableElement[]): WritableElement {
  return { kind: "element", name, attributes: [], content: { kind: "children", nodes } };
}

function leaf(name: string, text: string): WritableElement {
  return { kind: "element", name, attributes: [], content: { kind: "cdata", value: { text } } };
}
