import type { NumaNode } from "../numa.ts";
import { isFilled } from "../numa.ts";
import type { Sourced } from "../source.ts";
import type { PciRequest } from "./pci-plan.ts";

/** Eight root ports behind an expander that belongs to a NUMA cell of the guest. */
export interface Block {
  readonly slot: number;
  readonly cell: number | undefined;
  readonly expander: number;
  /** What the place of the block depends on besides its own cell: cells and devices that were in its way. */
  readonly displacedBy: readonly Sourced[];
  /** Devices for whose sake alone the block exists: no cell lives on their node. */
  readonly homeless: readonly PciRequest[];
  /** Index of each root port; moved where a device with a bus of its own has taken the usual one. */
  readonly ports: readonly number[];
}

/** An expander and a root port for one device alone. */
export interface Dedicated {
  readonly request: PciRequest;
  readonly cell: number | undefined;
  readonly port: number;
}

export interface NumaPlan {
  readonly blocks: readonly Block[];
  readonly dedicated: readonly Dedicated[];
  /** Root ports for devices that belong to no node. */
  readonly extraPorts: readonly number[];
  /** Whether the place of a cell follows its node on the host; otherwise its position in the document. */
  readonly byHostNode: boolean;
  /** Bus of each device. */
  readonly buses: ReadonlyMap<PciRequest, number>;
}

const FIRST = 3;
const SIZE = 9;

/**
 * The PCI tree of a VM with NUMA nodes. OpenNebula gives a device on node h of the host one of the indexes 4+9h … 11+9h, or an
 * index of its own (ROOT=dedicated). So the expander at 3+9h belongs to the cell that lives on h. Without such devices nothing
 * depends on it, and the cells keep the order of the document, as in documents of OpenNebula.
 */
export function planNumaPci(nodes: readonly NumaNode[], requests: readonly PciRequest[]): NumaPlan {
  const cells = nodes.filter(isFilled);
  const dedicated = dedicatedBuses(cells, requests);
  const slots = slotsOf(cells, requests);
  const free = freeIndexes([...dedicated.map(({ port }) => port), ...[...slots.keys()].map((slot) => FIRST + SIZE * slot + SIZE - 1)]);
  const taken = new Set(dedicated.flatMap(({ port }) => [port - 1, port]));
  const blocks = [...slots].sort(([a], [b]) => a - b).map(([slot, cell]) => ({ slot, cell, homeless: cell === undefined ? requests.filter((each) => slotOf(each) === slot) : [], ...indexes(slot, taken, slots, free) }))
    .map((each) => ({ ...each, displacedBy: displacers(each, cells, dedicated) }));
  return { blocks, dedicated, byHostNode: bindsToHost(requests), ...place(requests, blocks, dedicated, free) };
}

function displacers({ slot, cell, expander, ports }: Omit<Block, "displacedBy">, cells: readonly NumaNode[], dedicated: readonly Dedicated[]): readonly Sourced[] {
  const moved = expander !== FIRST + SIZE * slot || ports.some((port, position) => port !== FIRST + SIZE * slot + 1 + position);
  const usurped = cells.some((each) => each.cell === cell && each.hostNode !== undefined && each.hostNode !== slot);
  return [
    ...(moved ? dedicated.flatMap(({ request }) => [request.view.get("VM_BUS_INDEX"), request.view.get("ROOT")]) : []),
    ...(usurped ? cells.map(({ view }) => view.get("NODE_ID")) : []),
  ];
}

function bindsToHost(requests: readonly PciRequest[]): boolean {
  return requests.some(({ busIndex }) => busIndex !== undefined);
}

/** The slot of each cell, and of each host node that a device needs. */
function slotsOf(cells: readonly NumaNode[], requests: readonly PciRequest[]): ReadonlyMap<number, number | undefined> {
  if (!bindsToHost(requests)) return new Map(cells.map(({ cell }) => [cell, cell]));
  const slots = new Map<number, number | undefined>();
  const homeless: NumaNode[] = [];
  for (const node of cells) {
    const slot = node.hostNode ?? node.cell;
    if (slot < 0 || slots.has(slot)) homeless.push(node);
    else slots.set(slot, node.cell);
  }
  for (const request of requests) {
    const slot = slotOf(request);
    if (slot !== undefined && !slots.has(slot)) slots.set(slot, undefined);
  }
  for (const node of homeless) slots.set(firstFree(slots), node.cell);
  return slots;
}

/** The slot of a device that shares the root ports of its node. */
function slotOf({ dedicated, busIndex }: PciRequest): number | undefined {
  if (dedicated || busIndex === undefined) return undefined;
  const offset = busIndex - FIRST;
  return offset > 0 && offset % SIZE !== 0 && busIndex < 256 ? Math.floor(offset / SIZE) : undefined;
}

function firstFree(slots: ReadonlyMap<number, unknown>): number {
  let slot = 0;
  while (slots.has(slot)) slot += 1;
  return slot;
}

/** A dedicated device keeps the index that OpenNebula gave it. */
function dedicatedBuses(cells: readonly NumaNode[], requests: readonly PciRequest[]): readonly Dedicated[] {
  const found: Dedicated[] = [];
  for (const [position, request] of requests.filter(({ dedicated }) => dedicated).entries()) {
    const usual = FIRST + SIZE * cells.length + 2 * position + 1;
    const clashes = (port: number) => found.some((other) => Math.abs(other.port - port) < 2);
    let port = request.busIndex !== undefined && request.busIndex > FIRST ? request.busIndex : usual;
    while (clashes(port)) port += 2;
    found.push({ request, port, cell: cells.find(({ hostNode }) => hostNode !== undefined && hostNode === request.hostNode)?.cell });
  }
  return found;
}

/** Indexes around those that dedicated devices hold. libvirt wants a port to have a greater index than its expander. */
function indexes(slot: number, taken: Set<number>, slots: ReadonlyMap<number, unknown>, free: () => number): Pick<Block, "expander" | "ports"> {
  const base = FIRST + SIZE * slot;
  const ports = Array.from({ length: SIZE - 1 }, (_, position) => base + 1 + position);
  if (!taken.has(base)) return { expander: base, ports: ports.map((port) => (taken.has(port) ? free() : port)) };
  const below = Array.from({ length: base - FIRST }, (_, position) => FIRST + position).find((index) => !taken.has(index) && !slots.has(Math.floor((index - FIRST) / SIZE)));
  if (below === undefined) return { expander: free(), ports: ports.map(() => free()) };
  taken.add(below);
  return { expander: below, ports: ports.map((port) => (taken.has(port) ? free() : port)) };
}

function freeIndexes(used: readonly number[]): () => number {
  let next = Math.max(FIRST - 1, ...used) + 1;
  return () => next++;
}

/** Bus of each device: its own port, its port in the block, or for a device without node the plain root port and further ones. */
function place(requests: readonly PciRequest[], blocks: readonly Block[], dedicated: readonly Dedicated[], free: () => number): Pick<NumaPlan, "buses" | "extraPorts"> {
  const buses = new Map<PciRequest, number>(dedicated.map(({ request, port }) => [request, port]));
  const moved = new Map(blocks.flatMap(({ slot, ports }) => ports.map((port, position) => [FIRST + SIZE * slot + 1 + position, port] as const)));
  const extraPorts: number[] = [];
  const plain = [1];
  for (const request of requests.filter((each) => !each.dedicated && each.complete)) {
    if (request.busIndex !== undefined) buses.set(request, moved.get(request.busIndex) ?? request.busIndex);
    else buses.set(request, plain.pop() ?? (extraPorts.push(free()), extraPorts.at(-1) ?? 0));
  }
  return { buses, extraPorts };
}
