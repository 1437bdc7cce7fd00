/** What a PCI device is, in hexadecimal digits. */
export interface PciIds {
  readonly vendor: string;
  readonly device: string;
  /** Class and subclass. */
  readonly class: string;
  /** The programming interface of the class. */
  readonly interface: string;
}

export interface PciNames {
  readonly vendor: string;
  readonly device: string;
  readonly class: string;
}

/** Names of devices, from the text of pci.ids: read once, for the vendors that are asked for only. A number stands for a name that is not there, as `lspci` writes it. */
export class PciDatabase {
  readonly #vendors = new Map<string, Section>();

  /** With a line end in front, so that every section follows one. */
  readonly #text: string;

  constructor(text: string) {
    this.#text = `\n${text}`;
  }

  namesOf({ vendor, device, class: code }: Omit<PciIds, "interface">): PciNames {
    const [maker, kind] = [this.#section(vendor), this.#section(`C ${code.slice(0, 2)}`)];
    return {
      vendor: maker?.name ?? `Vendor ${vendor}`,
      device: maker?.entries.get(device) ?? `Device ${device}`,
      class: kind?.entries.get(code.slice(2)) ?? kind?.name ?? `Class ${code}`,
    };
  }

  #section(key: string): Section | undefined {
    const known = this.#vendors.get(key);
    if (known) return known;
    const start = this.#text.indexOf(`\n${key}  `);
    if (start < 0) return undefined;
    const section = readSection(this.#text, start + 1);
    this.#vendors.set(key, section);
    return section;
  }
}

interface Section {
  readonly name: string;
  readonly entries: ReadonlyMap<string, string>;
}

/** A heading and the lines below it that begin with one tab; those with two belong to an entry. Comments may stand between. */
function readSection(text: string, start: number): Section {
  const entries = new Map<string, string>();
  const [heading = "", ...lines] = text.slice(start, endOf(text, start)).split("\n");
  for (const line of lines) {
    const [, id, name] = /^\t([0-9a-f]{2,4}) {2}(.*)$/s.exec(line) ?? [];
    if (id !== undefined && name !== undefined) entries.set(id, name.trim());
  }
  return { name: heading.slice(heading.indexOf("  ")).trim(), entries };
}

/** Up to the next line that begins with neither a tab nor `#`. */
function endOf(text: string, start: number): number {
  const next = /\n[^\t#\n]/g;
  next.lastIndex = start + 1;
  return next.exec(text)?.index ?? text.length;
}
