import { OnevirtError } from "../core/errors.ts";
import type { LifecycleEvent, Tracer } from "../core/ports.ts";
import { BlockingDevices } from "./devices.ts";
import { DomainAccess } from "./domain-access.ts";
import { BlockingGuest } from "./guest.ts";
import { BlockingHypervisor } from "./hypervisor.ts";
import { BlockingJobs } from "./jobs.ts";
import { BlockingJudge } from "./judge.ts";
import { Library } from "./library.ts";
import { listen } from "./listener.ts";
import { BlockingMigration } from "./migration.ts";
import { BlockingNode } from "./node.ts";
import { toPlain } from "./plain-error.ts";
import { type Message, type Reply, type Request, type Served, type Start, THREADS } from "./protocol.ts";
import { BlockingSaveImages } from "./save-images.ts";
import { BlockingSnapshots } from "./snapshots.ts";

const OBJECTS: { readonly [O in keyof Served]: new (access: DomainAccess) => Served[O] } = {
  hypervisor: BlockingHypervisor,
  devices: BlockingDevices,
  guest: BlockingGuest,
  node: BlockingNode,
  snapshots: BlockingSnapshots,
  images: BlockingSaveImages,
  jobs: BlockingJobs,
  migration: BlockingMigration,
  judge: BlockingJudge,
};

/** Where a worker's messages come from and go to. */
export interface Port {
  send(reply: Reply): void;
  receive(handler: (message: Message) => void): void;
  /** Ends the thread. */
  close(): void;
}

/** Serves one worker thread: the start says what it is for, each request is one blocking operation. */
export function serve(port: Port, tracerFor: (trace: string | undefined) => Tracer | undefined): void {
  let access: DomainAccess | undefined;
  let library: Library | undefined;
  let start: Start | undefined;
  const load = (trace: string | undefined, paths?: readonly string[]) => (library ??= new Library(tracerFor(trace), paths));
  const open = ({ trace, libraryPaths, uri, readOnly }: Start) => (access ??= new DomainAccess(load(trace, libraryPaths), uri, readOnly));
  port.receive((message) => {
    if (message === "stop") {
      access?.[Symbol.dispose]();
      return port.close();
    }
    if ("prepare" in message) return attempt(() => load(message.trace));
    if ("role" in message) {
      start = message;
      if (message.role === "listener") listenFor(message, port, () => load(message.trace, message.libraryPaths));
      return;
    }
    // Asked for before this thread was abandoned: nobody waits, and nobody may be surprised. That we are here tells that we are out of libvirt.
    if (start && hasEnded(start)) return port.send({ id: message.id, error: toPlain(new OnevirtError("TIMED_OUT", "Cannot begin: the thread was abandoned")) });
    port.send(answer(message, required(start).role, () => open(required(start))));
  });
}

/** A library that cannot be loaded is reported by the first request, where somebody waits for the answer. */
function attempt(work: () => unknown): void {
  try {
    work();
  } catch {
    return;
  }
}

function answer({ id, object, operation, args }: Request, role: Start["role"], open: () => DomainAccess): Reply {
  try {
    if (role === "listener" || !(THREADS[role] as readonly string[]).includes(object)) throw new TypeError(`Cannot serve ${object}: it is not for this thread`);
    const target = new OBJECTS[object](open()) as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
    const method = target[operation];
    if (!method) throw new TypeError(`Cannot serve ${operation}: ${object} has no such operation`);
    return { id, result: method.apply(target, [...args]) };
  } catch (error) {
    return { id, error: toPlain(error) };
  }
}

function listenFor(start: Start, port: Port, library: () => Library): void {
  const reports = {
    ready: () => port.send({ event: "ready" }),
    lifecycle: (event: LifecycleEvent) => port.send({ event: "lifecycle", ...event }),
    removal: (uuid: string, alias: string, removed: boolean) => port.send({ event: "removal", uuid, alias, removed }),
    lost: (reason: string) => port.send({ event: "lost", error: { code: "LIBVIRT_UNREACHABLE", message: `Cannot listen to events: ${reason}` } }),
  } as const;
  try {
    listen(library(), start.uri, reports, () => hasEnded(start));
    if (hasEnded(start)) reports.lost("the listener was closed"); // whoever abandoned it counts who is still inside libvirt
  } catch (error) {
    port.send({ event: "lost", error: toPlain(error) });
  }
}

function hasEnded({ end }: Start): boolean {
  return Atomics.load(end, 0) === 1;
}

function required(start: Start | undefined): Start {
  if (!start) throw new TypeError("Cannot serve a request before the start message");
  return start;
}
