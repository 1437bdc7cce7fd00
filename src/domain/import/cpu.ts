import type { XmlElement } from "../../codec/xml.ts";
import { elementsOf } from "../rewrite.ts";
import { type Cell, cellsOf, find, isPinned } from "./numa.ts";
import { type Importer, note, type Piece, raw, vector, type Wild } from "./piece.ts";
import { lineOf } from "./raw-text.ts";

/** CPU_MODEL, TOPOLOGY and NUMA_NODE; the whole section as RAW where they do not say the same. */
export const cpu: Importer = (wild) => {
  const { root } = wild;
  const own = root.child("cpu");
  const reason = own && unlike(wild, own.element);
  if (own && reason !== undefined && !isHotplug(wild)) return [...wholeSection(wild), note(`the CPU stands in RAW, because ${reason}`)];
  const lost = !own || reason === undefined ? [] : [note(`not all of the CPU is in the template, because ${reason}, and memory that is plugged in leaves no room for it in RAW: ${lineOf(own.element)}`)];
  own?.finish();
  root.child("numatune")?.finish();
  return [...(own ? model(own.element) : []), ...topology(wild), ...lost];
};

function wholeSection({ root }: Wild): readonly Piece[] {
  const [own, tune] = [root.child("cpu"), root.child("numatune")];
  if (!own) return [];
  own.finish();
  const { check: _check, ...attributes } = own.element.attributes;
  return [{ kind: "raw", parent: "domain", element: { ...own.element, attributes } }, ...(tune ? [raw("domain", tune)] : [])];
}

/** Memory that can be plugged in: then the generator writes the CPU, and RAW would come too late. */
function isHotplug({ root }: Wild): boolean {
  return root.child("maxMemory") !== undefined;
}

const MODES = ["custom", "host-passthrough"];

/** Why CPU_MODEL, TOPOLOGY and NUMA_NODE cannot express the section; undefined when they can. */
function unlike(wild: Wild, own: XmlElement): string | undefined {
  const { mode = "custom", match = "exact" } = own.attributes;
  const model = find(own, "model")[0];
  const features = find(own, "feature");
  if (!MODES.includes(mode)) return `OpenNebula writes ${mode} as the name of a model`;
  if (match !== "exact") return `OpenNebula asks for exactly the model it names, not for match='${match}'`;
  if (features.some(({ attributes }) => !["require", undefined].includes(attributes["policy"]))) return "CPU_MODEL/FEATURES can only require features";
  if (features.length > 0 && mode === "custom" && !model) return "FEATURES have no effect without MODEL";
  const other = strangerIn(own, "cpu");
  if (other !== undefined) return `OpenNebula has no attribute for its ${other}`;
  return unlikeTopology(wild, own) ?? unlikeCells(wild);
}

/** What the attributes of OpenNebula cover. */
const KNOWN: Readonly<Record<string, { readonly attributes: readonly string[]; readonly children: readonly string[] }>> = {
  cpu: { attributes: ["mode", "match", "check", "migratable"], children: ["model", "vendor", "feature", "topology", "numa"] },
  model: { attributes: ["fallback"], children: [] },
  vendor: { attributes: [], children: [] },
  feature: { attributes: ["policy", "name"], children: [] },
  topology: { attributes: ["sockets", "dies", "clusters", "cores", "threads"], children: [] },
  numa: { attributes: [], children: ["cell"] },
  cell: { attributes: ["id", "cpus", "memory", "unit", "memAccess"], children: ["distances"] },
  distances: { attributes: [], children: ["sibling"] },
  sibling: { attributes: ["id", "value"], children: [] },
};

/** The first part of the section that they do not cover. */
function strangerIn(own: XmlElement, path: string): string | undefined {
  const known = KNOWN[own.name];
  const attribute = Object.keys(own.attributes).find((name) => !known?.attributes.includes(name));
  if (attribute !== undefined) return `${path}/@${attribute}`;
  for (const child of elementsOf(own)) {
    const inner = known?.children.includes(child.name) ? strangerIn(child, `${path}/${child.name}`) : `${path}/${child.name}`;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function unlikeTopology(wild: Wild, own: XmlElement): string | undefined {
  const shape = find(own, "topology")[0]?.attributes;
  if (!shape) return undefined;
  if ([shape["dies"], shape["clusters"]].some((each) => each !== undefined && each !== "1")) return "TOPOLOGY has neither dies nor clusters";
  if (vcpuMax(wild)) return "TOPOLOGY and VCPU_MAX exclude each other";
  const product = ["sockets", "cores", "threads"].reduce((all, key) => all * Number(shape[key] ?? 1), 1);
  return isPinned(wild) || product === vcpuCount(wild) ? undefined : "sockets × cores × threads is not the number of processors";
}

function unlikeCells(wild: Wild): string | undefined {
  const cells = cellsOf(wild);
  if (cells.length === 0 || isPinned(wild)) return undefined;
  if (cells.length === 1 && (isHotplug(wild) || hugePages(wild) !== undefined)) return undefined;
  return "OpenNebula gives NUMA cells only to VMs that are bound to processors of the host";
}

function model(own: XmlElement): readonly Piece[] {
  const { mode } = own.attributes;
  const name = mode === undefined || mode === "custom" ? find(own, "model")[0]?.children.filter((each) => typeof each === "string").join("").trim() : mode;
  const features = find(own, "feature").map(({ attributes }) => attributes["name"] ?? "").join(",");
  return vector("CPU_MODEL", { MODEL: name, FEATURES: features });
}

function topology(wild: Wild): readonly Piece[] {
  const shape = find(wild.root.element, "cpu", "topology")[0]?.attributes;
  const cells = cellsOf(wild);
  const huge = isHotplug(wild) ? undefined : hugePages(wild);
  const pinned = isPinned(wild);
  const access = cells.map((each) => each.access).find((each) => each !== undefined);
  const stored = { SOCKETS: shape?.["sockets"], CORES: shape?.["cores"], THREADS: shape?.["threads"] };
  const entries = { PIN_POLICY: pinned ? policy(cells) : undefined, ...(pinned ? {} : stored), HUGEPAGE_SIZE: huge, MEMORY_ACCESS: isHotplug(wild) ? undefined : access };
  const nodes = pinned ? cells.flatMap((each) => node(each, true)) : [];
  const guess = pinned && policy(cells) === "THREAD" ? [note("PIN_POLICY is THREAD: the domain does not tell it from CORE")] : [];
  return [...vector("TOPOLOGY", entries, { stored }), ...nodes, ...guess];
}

/** All processors of a cell on the same set of processors of the host, or each on its own. */
function policy(cells: readonly Cell[]): string {
  return cells.every(({ pins }) => new Set(pins).size === 1 && (pins.length > 1 || /[,-]/.test(pins[0] ?? ""))) ? "SHARED" : "THREAD";
}

/** A NUMA_NODE of the template; the host's part is what the scheduler would choose. */
function node({ cpus, memoryKiB, distance, pins, memoryNode, id }: Cell, bound: boolean): readonly Piece[] {
  const sets = new Set(pins);
  const stored = { MEMORY: memoryKiB, CPUS: sets.size === 1 ? pins[0] : pins.join(","), NODE_ID: memoryNode ?? id, MEMORY_NODE_ID: memoryNode };
  return bound ? vector("NUMA_NODE", { TOTAL_CPUS: cpus, MEMORY: Math.ceil(memoryKiB / 1024), DISTANCE: distance }, { stored }) : [];
}

/** Size of the huge pages in MiB, when there is one size and OpenNebula can say it. */
export function hugePages({ root }: Wild): number | undefined {
  const pages = find(root.element, "memoryBacking", "hugepages", "page");
  const [first] = pages;
  const size = Number(first?.attributes["size"]) * (first?.attributes["unit"] === "M" || first?.attributes["unit"] === "MiB" ? 1024 : first?.attributes["unit"] === "G" ? 1_048_576 : 1);
  return pages.length === 1 && first?.attributes["nodeset"] === undefined && size >= 1024 && size % 1024 === 0 ? size / 1024 : undefined;
}

function vcpuMax({ root }: Wild): boolean {
  const vcpu = find(root.element, "vcpu")[0];
  return vcpu?.attributes["current"] !== undefined && vcpu.attributes["current"] !== textOf(vcpu);
}

function vcpuCount({ root }: Wild): number {
  const vcpu = find(root.element, "vcpu")[0];
  return vcpu ? Number(textOf(vcpu)) : 1;
}

function textOf({ children }: XmlElement): string {
  return children.filter((each) => typeof each === "string").join("").trim();
}
