import { cannot, type Facts, oncePerFacts, queues } from "../facts.ts";
import type { VectorView } from "../levels.ts";
import { wholeInteger } from "../numbers.ts";
import { derived, NOTHING, sourcesOf, type Value } from "../source.ts";
import { busOf, isCdrom, sdNumber } from "./disk-bus.ts";

/** A disk with everything that depends on the disks before it. */
export interface Disk {
  readonly view: VectorView;
  readonly id: Value;
  /** What decides which element is written: TYPE, or DISK_TYPE of a volatile disk. */
  readonly type: Value;
  readonly cdrom: boolean;
  readonly target: Value;
  readonly bus: Value;
  readonly ioThread: Value | undefined;
  readonly queues: Value;
  /** Index of the disk's own SATA controller. */
  readonly sataController: Value | undefined;
  /** Number on the SCSI bus. */
  readonly scsiTarget: Value | undefined;
}

export interface DiskPlan {
  readonly disks: readonly Disk[];
  /** The thread that the next device gets; undefined without threads. */
  readonly nextIoThread: Value | undefined;
}

type TakeThread = (bus: Value) => Value | undefined;
type NextPort = (target: Value, bus: Value) => Value;

/** Gives each disk its bus, thread, queues and address. */
export const planDisks = oncePerFacts((facts): DiskPlan => {
  const threads = roundRobin(facts);
  const ports = sataPorts(facts);
  const disks = facts.vm.vectors("DISK").map((view) => planDisk(facts, view, threads.take, ports));
  return { disks, nextIoThread: threads.peek() };
});

function planDisk(facts: Facts, view: VectorView, takeThread: TakeThread, nextPort: NextPort): Disk {
  const id = view.get("DISK_ID");
  if (id.text === "") throw cannot(facts.input, "a DISK has no DISK_ID");
  const type = typeOf(view);
  const target = view.get("TARGET");
  const cdrom = isCdrom(type.text);
  if (type.text === "FILESYSTEM") return { view, id, type, target, cdrom, bus: NOTHING, ioThread: undefined, queues: NOTHING, sataController: undefined, scsiTarget: undefined };
  if (target.text === "") throw cannot(facts.input, "Wrong target value in DISK.");
  const bus = busOf(facts, cdrom, type, target);
  const virtio = bus.text === "virtio";
  return {
    view, id, type, target, cdrom, bus,
    ioThread: virtio ? ioThread(facts, view, bus, () => takeThread(bus)) : undefined,
    queues: virtio ? blkQueues(facts, view, bus) : NOTHING,
    ...address(target, type, bus, nextPort),
  };
}

/** A volatile disk (fs, swap) is of the kind its system datastore says. */
function typeOf(view: VectorView): Value {
  const type = view.get("TYPE");
  return ["FS", "SWAP"].includes(type.text.toUpperCase()) ? { ...view.get("DISK_TYPE"), sources: sourcesOf(type, view.get("DISK_TYPE")) } : type;
}

/** The disk's own IOTHREAD when it is one of the domain's; otherwise the threads in turn. */
function ioThread(facts: Facts, view: VectorView, bus: Value, take: () => Value | undefined): Value | undefined {
  if (facts.ioThreads.count <= 0) return undefined;
  const asked = view.get("IOTHREAD");
  const number = wholeInteger(asked.text);
  return number !== undefined && number >= 1 && number <= facts.ioThreads.count ? derived(number, asked, facts.ioThreads, bus) : take();
}

/** Threads in turn; each depends on the disks that took one before. */
function roundRobin({ ioThreads }: Facts): { readonly take: TakeThread; readonly peek: () => Value | undefined } {
  let next = 1;
  const takers: Value[] = [];
  const peek = () => (ioThreads.count > 0 ? derived(next, ioThreads, ...takers) : undefined);
  const take = (bus: Value) => {
    takers.push(bus);
    const thread = peek();
    next = (next % Math.max(ioThreads.count, 1)) + 1;
    return thread;
  };
  return { take, peek };
}

/** Compat: a malformed value of the disk means no queues; it does not fall back to the default. */
function blkQueues({ all, vcpu }: Facts, view: VectorView, bus: Value): Value {
  const own = view.get("VIRTIO_BLK_QUEUES");
  const asked = queues(own.text === "" ? all.keyText("FEATURES", "VIRTIO_BLK_QUEUES") : own, vcpu);
  return derived(asked.text, asked, bus);
}

/** Only `sd` names get an address. An IDE controller has no place for it: libvirt then chooses one. */
function address(target: Value, type: Value, bus: Value, nextPort: NextPort): Pick<Disk, "sataController" | "scsiTarget"> {
  const none = { sataController: undefined, scsiTarget: undefined };
  if (!target.text.startsWith("sd") || bus.text === "ide") return none;
  if (bus.text === "sata") return { ...none, sataController: nextPort(target, bus) };
  const number = sdNumber(target.text);
  return number >= 0 && number < 256 ? { ...none, scsiTarget: derived(number, target, type, bus) } : none;
}

/** A SATA controller per disk; a PCI Express machine has number 0 already. */
function sataPorts({ q35like, machine }: Facts): NextPort {
  let next = q35like ? 1 : 0;
  const users: Value[] = [];
  return (target, bus) => {
    users.push(target, bus);
    return derived(next++, ...users, machine);
  };
}
