import type { Files } from "../core/ports.ts";
import type { Message, Request, Start } from "../libvirt/protocol.ts";
import { startOf } from "../libvirt/guarded-thread.ts";
import { toPlain } from "../libvirt/plain-error.ts";
import { WorkerCall, type WorkerFactory } from "../libvirt/worker-call.ts";
import { Frames } from "./frames.ts";
import { isServed, READY } from "./thread.ts";

/** Threads at once; whoever comes then works by himself. */
const MOST_THREADS = 8;

/** Threads that keep their connection while nobody needs them, and for how long: each takes 5 MiB. */
const MOST_IDLE = 2;
const IDLE_MS = 5 * 60 * 1000;

interface Visitor {
  readonly frames: Frames;
  start?: Start;
  worker?: WorkerCall;
  /** Has one of the threads that may be lent. */
  lent: boolean;
  /** Requests that were not answered yet. */
  open: number;
  gone?: true;
}

/** A thread that waits for the next visitor, until its time has come. */
interface Resting {
  readonly worker: WorkerCall;
  readonly timer: ReturnType<typeof setTimeout>;
}

type Socket = import("bun").Socket<Visitor>;

/**
 * Lends the agent's libvirt threads to the actions of this host. One visitor has one thread at a time; a visitor that leaves
 * during a call leaves the thread behind, as every deadline does: abandoned, not cancelled.
 */
export class ResidentServer implements Disposable {
  readonly #idle = new Map<string, Resting[]>();
  readonly #listener: import("bun").UnixSocketListener<Visitor>;
  #lent = 0;

  constructor(
    private readonly path: string,
    private readonly files: Files,
    private readonly startWorker: WorkerFactory,
    private readonly idleMs = IDLE_MS,
  ) {
    files.makeDirectory(path.slice(0, path.lastIndexOf("/")), 0o700);
    files.remove(path); // of an agent that was killed
    this.#listener = Bun.listen<Visitor>({
      unix: path,
      socket: {
        open: (socket) => this.#greet(socket),
        data: (socket, bytes) => this.#receive(socket, bytes),
        drain: (socket) => socket.data.frames.drain(socket),
        close: ({ data }) => this.#leave(data),
        error: ({ data }) => this.#leave(data),
      },
    });
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
    this.files.remove(this.path);
    for (const { worker, timer } of [...this.#idle.values()].flat()) clearTimeout(timer), worker[Symbol.dispose]();
    this.#idle.clear();
  }

  #greet(socket: Socket): void {
    socket.data = { frames: new Frames(), open: 0, lent: this.#lent < MOST_THREADS };
    if (!socket.data.lent) return void socket.end();
    this.#lent++;
    socket.data.frames.send(socket, READY);
  }

  #receive(socket: Socket, bytes: Uint8Array): void {
    try {
      for (const message of socket.data.frames.receive(bytes)) this.#serve(socket, message as Message);
    } catch {
      socket.end(); // not one of us
    }
  }

  #serve(socket: Socket, message: Message): void {
    if (message === "stop") return void socket.end();
    if ("role" in message) {
      if (!isServed(message)) return void socket.end();
      socket.data.start = message;
      socket.data.worker = this.#take(message);
      return;
    }
    if ("operation" in message) void this.#answer(socket, message);
  }

  async #answer(socket: Socket, { id, ...asked }: Request): Promise<void> {
    const visitor = socket.data;
    if (!visitor.worker) return void socket.end();
    visitor.open++;
    try {
      const outcome = await visitor.worker.request(asked, Number.POSITIVE_INFINITY);
      if (outcome !== "late" && !visitor.gone) visitor.frames.send(socket, { id, result: outcome.result });
    } catch (error) {
      if (!visitor.gone) visitor.frames.send(socket, { id, error: toPlain(error) });
    } finally {
      visitor.open--;
      if (visitor.gone) this.#giveBack(visitor);
    }
  }

  #leave(visitor: Visitor): void {
    if (visitor.gone) return;
    visitor.gone = true;
    this.#giveBack(visitor);
  }

  /** A thread that is inside a call counts as lent until the call ends: a libvirtd that hangs does not get one thread after the other. */
  #giveBack({ worker, start, open, lent }: Visitor): void {
    if (!lent || open > 0) return;
    this.#lent--;
    if (worker && start) this.#keep(start, worker);
  }

  #take(start: Start): WorkerCall {
    const { role, uri, readOnly } = start;
    const resting = this.#idle.get(key(start))?.pop();
    clearTimeout(resting?.timer);
    return resting?.worker ?? new WorkerCall(this.startWorker, startOf(role, { uri, readOnly, startWorker: this.startWorker }));
  }

  #keep(start: Start, worker: WorkerCall): void {
    const name = key(start);
    const idle = this.#idle.get(name) ?? [];
    this.#idle.set(name, idle);
    if (idle.length >= MOST_IDLE) return worker[Symbol.dispose]();
    const timer = setTimeout(() => {
      worker[Symbol.dispose]();
      this.#idle.set(name, (this.#idle.get(name) ?? []).filter((each) => each.worker !== worker));
    }, this.idleMs);
    timer.unref();
    idle.push({ worker, timer });
  }
}

function key({ role, uri, readOnly }: Start): string {
  return `${role} ${readOnly ? "r" : "w"} ${uri}`;
}
