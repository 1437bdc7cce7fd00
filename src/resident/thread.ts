import type { Message, Reply, Request, Start } from "../libvirt/protocol.ts";
import type { Thread } from "../libvirt/worker-call.ts";
import { Frames } from "./frames.ts";
import { onlyLooks } from "./looks.ts";

/** The greeting of the agent: it has a thread to spare. Nothing is asked of it before. */
export const READY = "ready";

/** An agent that does not greet in this time is busy or stopped; the action then works by itself. */
const GREETING_MS = 60;

type Socket = Awaited<ReturnType<typeof Bun.connect>>;

/**
 * A thread of the resident agent, over its socket: an action then loads no libvirt and starts no thread. It falls back to a
 * thread of its own as long as nothing was asked; later an agent that ends is a connection lost, because the call may have been made.
 * What only looks is asked again.
 */
export class ResidentThread implements Thread {
  onmessage: Thread["onmessage"] = null;
  onerror: Thread["onerror"] = null;
  readonly #frames = new Frames();
  readonly #asked = new Map<number, Request>();
  readonly #kept: Message[] = [];
  #socket: Socket | undefined;
  #local: Thread | undefined;
  #greeted = false;
  #stopped = false;

  constructor(
    path: string,
    private readonly startLocal: () => Thread,
    greetingMs = GREETING_MS,
  ) {
    const timer = setTimeout(() => this.#workLocally(), greetingMs);
    const socket = {
      open: (opened: Socket) => void (this.#socket = opened),
      data: (_: Socket, bytes: Uint8Array) => {
        clearTimeout(timer);
        this.#receive(bytes);
      },
      drain: (drained: Socket) => this.#frames.drain(drained),
      close: () => this.#lost(),
      error: () => this.#lost(),
      connectError: () => this.#lost(),
    };
    Bun.connect({ unix: path, socket }).catch(() => this.#lost());
  }

  postMessage(message: Message): void {
    if (this.#local) return this.#local.postMessage(message);
    if (message === "stop") return this.#stop();
    this.#keep(message);
    if (typeof message === "object" && "role" in message && !isServed(message)) return this.#workLocally();
    if (this.#greeted) this.#send(message);
  }

  unref(): void {
    this.#socket?.unref();
  }

  /** What a thread of our own would need from the beginning; requests only until they are sent. */
  #keep(message: Message): void {
    if (!this.#greeted || !isRequest(message)) this.#kept.push(message);
  }

  #send(message: Message): void {
    if (!this.#socket || (typeof message === "object" && "prepare" in message)) return;
    if (isRequest(message)) this.#asked.set(message.id, message);
    this.#frames.send(this.#socket, isStart(message) ? { ...message, end: undefined } : message);
  }

  #receive(bytes: Uint8Array): void {
    try {
      for (const message of this.#frames.receive(bytes)) message === READY ? this.#begin() : this.#answer(message as Reply);
    } catch {
      this.#lost(); // not one of us
    }
  }

  #begin(): void {
    if (this.#local || this.#greeted) return;
    this.#greeted = true;
    for (const message of this.#kept) this.#send(message);
    this.#kept.splice(0, this.#kept.length, ...this.#kept.filter((message) => !isRequest(message)));
  }

  #answer(reply: Reply): void {
    if ("id" in reply) this.#asked.delete(reply.id);
    this.onmessage?.({ data: reply } as MessageEvent<Reply>);
  }

  #lost(): void {
    if (this.#local || this.#stopped) return;
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    this.#kept.push(...asked.filter(onlyLooks));
    for (const { id } of asked.filter((request) => !onlyLooks(request))) this.#answer({ id, error: { code: "CONNECTION_LOST", message: "Cannot learn what became of a call to libvirt: the agent that made it ended" } });
    this.#workLocally();
  }

  #workLocally(): void {
    if (this.#local || this.#greeted && this.#asked.size > 0 || this.#stopped) return;
    const local = this.startLocal();
    this.#local = local;
    local.unref();
    local.onmessage = (event) => this.onmessage?.(event);
    local.onerror = (event) => this.onerror?.(event);
    for (const message of this.#kept) local.postMessage(message);
    this.#socket?.end();
  }

  #stop(): void {
    this.#stopped = true;
    this.#socket?.end();
  }
}

function isRequest(message: Message): message is Request {
  return typeof message === "object" && "operation" in message;
}

function isStart(message: Message): message is Start {
  return typeof message === "object" && "role" in message;
}

/** Only calls on a domain whose outcome can be seen afterwards: what listens, defines or migrates stays in the process that wants it; so does what is traced. */
export function isServed(start: Start): boolean {
  return (start.role === "operations" || start.role === "long") && start.trace === undefined && start.libraryPaths === undefined;
}
