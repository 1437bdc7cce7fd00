import { parseXml } from "../../codec/xml.ts";
import { OnevirtError } from "../../core/errors.ts";
import { withSectionsJoined } from "../rewrite.ts";
import { memory, processorLimits, processors } from "./capacity.ts";
import { cpu } from "./cpu.ts";
import { hostDevices, input, iommu, tpm } from "./device.ts";
import { disks, shares } from "./disk.ts";
import { sdBusesOf } from "./disk-name.ts";
import { display } from "./display.ts";
import { features } from "./features.ts";
import { acceptedName, emulator, events, identity, kind, nameOf } from "./identity.ts";
import { interfaces } from "./interface.ts";
import { leftovers, unreadNotes } from "./leftovers.ts";
import { memoryBacking, memoryEncryption } from "./memory-backing.ts";
import { find } from "./numa.ts";
import { os, powerManagement } from "./os.ts";
import type { Importer, ImportOptions, NotePiece, Piece, RawPiece, SinglePiece, VectorPiece, Wild } from "./piece.ts";
import { rawData } from "./raw-text.ts";
import { Reading } from "./reading.ts";

/** A VM template made from a domain, and what it does not carry. */
export interface ImportedDomain {
  readonly name: string;
  readonly uuid: string | undefined;
  readonly type: string;
  readonly arch: string;
  /** The template, in the order in which it is printed. */
  readonly template: readonly (SinglePiece | VectorPiece)[];
  /** What it carries differently, or not at all. */
  readonly notes: readonly string[];
}

/** The parts of a domain in the order of the template. */
const IMPORTERS: readonly Importer[] = [
  identity, kind, processors, memory, emulator, os, powerManagement, cpu, processorLimits, memoryBacking, features, disks, shares, interfaces, display, input, hostDevices, iommu, tpm,
  memoryEncryption, events, leftovers,
];

/** Reads a domain document and gives the VM template for it. BAD_INPUT when it is no domain. */
export function importDomain(xml: string, what: string, options: ImportOptions): ImportedDomain {
  const wild = wildOf(xml, what, options);
  const pieces = IMPORTERS.flatMap((each) => each(wild));
  const notes = [...pieces, ...unreadNotes(wild.root)].filter((each): each is NotePiece => each.kind === "note").map(({ text }) => text);
  const raws = pieces.filter((each): each is RawPiece => each.kind === "raw");
  const template = withBootOrder(pieces.filter((each) => each.kind === "single" || each.kind === "vector"));
  return {
    name: wild.root.childText("name") ?? "", uuid: wild.root.childText("uuid"), type: wild.root.attribute("type") ?? "", arch: wild.arch,
    template: [...template, ...rawVector(raws)],
    notes,
  };
}

function wildOf(xml: string, what: string, options: ImportOptions): Wild {
  const parsed = parseXml(xml, what);
  if (parsed.name !== "domain") throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: expected a <domain>, found <${parsed.name.slice(0, 40)}>`);
  const root = new Reading(withSectionsJoined(parsed));
  const { arch = "x86_64", machine = "" } = find(root.element, "os", "type")[0]?.attributes ?? {};
  const name = root.childText("name") ?? "";
  if (name === "") throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: the domain has no name`);
  return { root, devices: root.child("devices"), options, arch, machine, q35like: /q35|virt/.test(machine), sdBuses: sdBusesOf(root.element), vmName: acceptedName(nameOf(name, root.childText("title"))) };
}

/** OS/BOOT names disks and NICs by their numbers, which are their places in the template. */
function withBootOrder(pieces: readonly Piece[]): readonly (SinglePiece | VectorPiece)[] {
  const vectors = (name: string) => pieces.filter((each): each is VectorPiece => each.kind === "vector" && each.name === name);
  const numbered = [...vectors("DISK").map((piece, id) => ({ piece, word: `disk${id}` })), ...vectors("NIC").map((piece, id) => ({ piece, word: `nic${id}` }))];
  const ordered = numbered.filter(({ piece }) => piece.order !== undefined).sort((a, b) => (a.piece.order ?? 0) - (b.piece.order ?? 0));
  const boot = ordered.map(({ word }) => word).join(",");
  return pieces.flatMap((each) => {
    if (each.kind === "raw" || each.kind === "note") return [];
    return each.kind === "vector" && each.name === "OS" && boot !== "" ? [{ ...each, entries: { ...each.entries, BOOT: boot } }] : [each];
  });
}

function rawVector(raws: readonly RawPiece[]): readonly VectorPiece[] {
  return raws.length === 0 ? [] : [{ kind: "vector", name: "RAW", entries: { TYPE: "kvm", DATA: rawData(raws) }, stored: {}, order: undefined, comments: [] }];
}
