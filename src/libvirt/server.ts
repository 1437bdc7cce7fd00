import type { Tracer } from "../core/ports.ts";
import { BlockingHypervisor } from "./hypervisor.ts";
import { BlockingJudge } from "./judge.ts";
import { Library } from "./library.ts";
import { listen } from "./listener.ts";
import { toPlain } from "./plain-error.ts";
import type { Message, Reply, Request, Served, Start } from "./protocol.ts";

/** Where a worker's messages come from and go to. */
export interface Port {
  send(reply: Reply): void;
  receive(handler: (message: Message) => void): void;
  /** Ends the thread. */
  close(): void;
}

/** Serves one worker thread: the start says what it is for, each request is one blocking operation. */
export function serve(port: Port, tracerFor: (trace: string | undefined) => Tracer | undefined): void {
  let target: Served[keyof Served] | undefined;
  let library: Library | undefined;
  let start: Start | undefined;
  const load = (trace: string | undefined, paths?: readonly string[]) => (library ??= new Library(tracerFor(trace), paths));
  const open = ({ role, trace, libraryPaths, uri, readOnly }: Start) => new (role === "judge" ? BlockingJudge : BlockingHypervisor)(load(trace, libraryPaths), uri, readOnly);
  port.receive((message) => {
    if (message === "stop") {
      target?.[Symbol.dispose]();
      return port.close();
    }
    if ("prepare" in message) return attempt(() => load(message.trace));
    if ("role" in message) {
      start = message;
      if (message.role === "listener") listenFor(message, port, () => load(message.trace, message.libraryPaths));
      return;
    }
    if (start && hasEnded(start)) return; // asked for before this thread was abandoned: nobody waits, and nobody may be surprised
    port.send(answer(message, () => (target ??= open(required(start)))));
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

function answer({ id, operation, args }: Request, open: () => Served[keyof Served]): Reply {
  try {
    const target = open();
    const method = (target as unknown as Record<string, (...args: readonly unknown[]) => unknown>)[operation];
    if (!method) throw new TypeError(`Cannot serve ${operation}: it is not for this thread`);
    return { id, result: method.apply(target, [...args]) };
  } catch (error) {
    return { id, error: toPlain(error) };
  }
}

function listenFor(start: Start, port: Port, library: () => Library): void {
  const reports = {
    ready: () => port.send({ event: "ready" }),
    stopped: (uuid: string) => port.send({ event: "stopped", uuid }),
    lost: (reason: string) => port.send({ event: "lost", error: { code: "LIBVIRT_UNREACHABLE", message: `Cannot listen to events: ${reason}` } }),
  } as const;
  try {
    listen(library(), start.uri, reports, () => hasEnded(start));
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
