import type { XmlElement } from "../../codec/xml.ts";
import type { Reading } from "./reading.ts";

/** `NAME = "value"` of the template. */
export interface SinglePiece {
  readonly kind: "single";
  readonly name: string;
  readonly value: string;
}

/** `NAME = [ KEY = "value", … ]` of the template. */
export interface VectorPiece {
  readonly kind: "vector";
  readonly name: string;
  readonly entries: Readonly<Record<string, string>>;
  /** Keys that OpenNebula adds when it instantiates the template: from the image, the datastore, the network or the host. */
  readonly stored: Readonly<Record<string, string>>;
  /** Place in the boot order, counted from 1. */
  readonly order: number | undefined;
  /** Lines for people that stand above the vector. */
  readonly comments: readonly string[];
}

/** What nothing but RAW expresses. */
export interface RawPiece {
  readonly kind: "raw";
  /** Where it belongs: below `<domain>`, below `<devices>`, or in the section of that name. */
  readonly parent: "domain" | "devices" | "features" | "cputune";
  readonly element: XmlElement;
}

/** Something of the domain that the template does not carry, or carries differently. */
export interface NotePiece {
  readonly kind: "note";
  readonly text: string;
}

export type Piece = SinglePiece | VectorPiece | RawPiece | NotePiece;

/** What is known of the domain before any of its parts is read. */
export interface Wild {
  readonly root: Reading;
  readonly devices: Reading | undefined;
  readonly options: ImportOptions;
  readonly arch: string;
  readonly machine: string;
  /** Whether the machine has PCI Express, as the generator sees it. */
  readonly q35like: boolean;
  /** Buses of the disks whose names begin with sd: the template has one for all of them. */
  readonly sdBuses: ReadonlySet<string>;
  /** Name of the VM: one that OpenNebula accepts. */
  readonly vmName: string;
}

export interface ImportOptions {
  /** Version of the cgroups of the host: it says what a share is. */
  readonly cgroups: 1 | 2;
  /** Whether passwords are part of the template. */
  readonly passwords: boolean;
}

/** Reads one part of the domain. */
export type Importer = (wild: Wild) => readonly Piece[];

type Values = Readonly<Record<string, string | number | undefined>>;

export function single(name: string, value: string | number | undefined): readonly Piece[] {
  return value === undefined || value === "" ? [] : [{ kind: "single", name, value: String(value) }];
}

/** A vector of the keys that have a value; none when no key has. */
export function vector(name: string, values: Values, more: { readonly stored?: Values; readonly order?: number | undefined; readonly comments?: readonly string[] } = {}): readonly VectorPiece[] {
  const entries = filled(values);
  if (Object.keys(entries).length === 0) return [];
  return [{ kind: "vector", name, entries, stored: filled(more.stored ?? {}), order: more.order, comments: more.comments ?? [] }];
}

export function note(text: string): NotePiece {
  return { kind: "note", text };
}

/** The whole element as RAW; nothing else looks at it afterwards. */
export function raw(parent: RawPiece["parent"], reading: Reading): RawPiece {
  reading.finish();
  return { kind: "raw", parent, element: reading.element };
}

function filled(values: Values): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).flatMap(([key, value]) => (value === undefined || value === "" ? [] : [[key, String(value)]])));
}
