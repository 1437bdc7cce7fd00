import type { XmlElement } from "../../codec/xml.ts";
import { kibOf } from "../diff-libvirt.ts";
import { elementsOf } from "../rewrite.ts";
import type { Wild } from "./piece.ts";

/** A NUMA cell of the guest. */
export interface Cell {
  readonly id: number;
  readonly cpus: number;
  readonly memoryKiB: number;
  readonly access: string | undefined;
  readonly distance: string | undefined;
  /** Processors of the host, one entry for each processor of the cell; empty when they are not bound. */
  readonly pins: readonly string[];
  /** NUMA node of the host whose memory the cell uses. */
  readonly memoryNode: string | undefined;
}

/** The cells of the guest. Nothing is marked as read: the CPU decides what becomes of them. */
export function cellsOf({ root }: Pick<Wild, "root">): readonly Cell[] {
  const cells = find(root.element, "cpu", "numa").flatMap(elementsOf).filter(({ name }) => name === "cell");
  let first = 0;
  return cells.map((cell, position) => {
    const cpus = countOf(cell.attributes["cpus"] ?? "");
    const pins = pinsOf(root.element, first, cpus);
    first += cpus;
    return { id: Number(cell.attributes["id"] ?? position), cpus, memoryKiB: kibOf(cell.attributes["memory"] ?? "0", cell), access: cell.attributes["memAccess"], distance: distanceOf(cell), pins, memoryNode: memoryNode(root.element, position) };
  });
}

/** Whether every processor of every cell is bound to processors of the host, so that a pinning policy says the same. */
export function isPinned(wild: Pick<Wild, "root">): boolean {
  const cells = cellsOf(wild);
  return cells.length > 0 && cells.every(({ cpus, pins }) => cpus > 0 && pins.length === cpus);
}

/** Number of processors of `0-3`, `0,2-3` and the like. */
function countOf(cpus: string): number {
  const pieces = cpus.split(",").filter((each) => /^\d+(-\d+)?$/.test(each));
  return pieces.reduce((sum, piece) => {
    const [from = 0, to = from] = piece.split("-").map(Number);
    return sum + Math.max(to - from + 1, 0);
  }, 0);
}

/** Most processors that a domain has; more is nonsense, and would only cost time. */
const MOST = 4096;

function pinsOf(root: XmlElement, first: number, count: number): readonly string[] {
  if (count > MOST) return [];
  const pins = new Map(find(root, "cputune", "vcpupin").map(({ attributes }) => [Number(attributes["vcpu"]), attributes["cpuset"] ?? ""] as const));
  return Array.from({ length: count }, (_, index) => pins.get(first + index)).filter((each) => each !== undefined);
}

function memoryNode(root: XmlElement, cell: number): string | undefined {
  return find(root, "numatune", "memnode").find(({ attributes }) => Number(attributes["cellid"]) === cell)?.attributes["nodeset"];
}

function distanceOf(cell: XmlElement): string | undefined {
  const siblings = elementsOf(cell).filter(({ name }) => name === "distances").flatMap(elementsOf);
  return siblings.length === 0 ? undefined : siblings.map(({ attributes }) => `${attributes["id"] ?? ""}:${attributes["value"] ?? ""}`).join(",");
}

/** Elements at the end of a path of names. */
export function find(root: XmlElement, ...path: readonly string[]): readonly XmlElement[] {
  return path.reduce<readonly XmlElement[]>((found, step) => found.flatMap(elementsOf).filter(({ name }) => name === step), [root]);
}
