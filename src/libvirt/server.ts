import { OnevirtError, messageOf } from "../core/errors.ts";
import type { Tracer } from "../core/ports.ts";
import { BlockingHypervisor } from "./hypervisor.ts";
import { Library } from "./library.ts";
import { listen } from "./listener.ts";
import type { Message, PlainError, Reply, Request, Start } from "./protocol.ts";

/** Where a worker's messages come from and go to. */
export interface Port {
  send(reply: Reply): void;
  receive(handler: (message: Message) => void): void;
  /** Ends the thread. */
  close(): void;
}

/** Serves one worker thread: the first message says what it is for, each later one is one blocking operation. */
export function serve(port: Port, tracerFor: (trace: string | undefined) => Tracer | undefined): void {
  let hypervisor: BlockingHypervisor | undefined;
  let start: Start | undefined;
  port.receive((message) => {
    if (message === "stop") {
      hypervisor?.[Symbol.dispose]();
      return port.close();
    }
    if ("role" in message) {
      start = message;
      if (message.role === "listener") listenFor(message, port, tracerFor(message.trace));
      return;
    }
    port.send(answer(message, () => (hypervisor ??= open(required(start), tracerFor(start?.trace)))));
  });
}

function open(start: Start, tracer: Tracer | undefined): BlockingHypervisor {
  return new BlockingHypervisor(new Library(tracer, start.libraryPaths), start.uri, start.readOnly);
}

function answer({ id, operation, args }: Request, hypervisor: () => BlockingHypervisor): Reply {
  try {
    const target = hypervisor();
    const method = target[operation] as (...args: readonly unknown[]) => unknown;
    return { id, result: method.apply(target, [...args]) };
  } catch (error) {
    return { id, error: toPlain(error) };
  }
}

function listenFor(start: Start, port: Port, tracer: Tracer | undefined): void {
  const reports = {
    ready: () => port.send({ event: "ready" }),
    stopped: (uuid: string) => port.send({ event: "stopped", uuid }),
    lost: (reason: string) => port.send({ event: "lost", error: { code: "LIBVIRT_UNREACHABLE", message: `Cannot listen to events: ${reason}` } }),
  } as const;
  try {
    listen(new Library(tracer, start.libraryPaths), start.uri, reports, () => Atomics.load(start.end, 0) === 1);
  } catch (error) {
    port.send({ event: "lost", error: toPlain(error) });
  }
}

function required(start: Start | undefined): Start {
  if (!start) throw new TypeError("Cannot serve a request before the start message");
  return start;
}

/** An error of the worker as data; what is not ours is our defect and keeps its text. */
export function toPlain(error: unknown): PlainError {
  if (error instanceof OnevirtError) return { code: error.code, message: error.message, hint: error.hint, libvirt: error.libvirt };
  return { code: "LIBVIRT_FAILED", message: messageOf(error) };
}

/** The error class again, on the other side. */
export function fromPlain(error: PlainError): OnevirtError {
  return new OnevirtError(error.code, error.message, { ...(error.hint ? { hint: error.hint } : {}), ...(error.libvirt ? { libvirt: error.libvirt } : {}) });
}
