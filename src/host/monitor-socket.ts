import { createSocket } from "node:dgram";
import { createConnection } from "node:net";
import { OnevirtError } from "../core/errors.ts";

/** How long a message may take: a front-end that takes connections and reads nothing must not hold a loop. */
const TCP_MS = 10_000;
const UDP_MS = 5_000;

/** The way to onemonitord: datagrams from one socket, and one connection for each message that goes by TCP. */
export class MonitorSocket implements Disposable {
  readonly #socket;

  /** Resolves the name once, as onemonitord's agents have always done; the error names what does not resolve. */
  static async open(name: string, port: number): Promise<MonitorSocket> {
    const [first] = await Bun.dns.lookup(name, { socketType: "udp" }).catch(() => []);
    if (!first) throw new OnevirtError("NOT_DONE", `Cannot report to "${name}": the name does not resolve`);
    return new MonitorSocket(first.address, port, first.family);
  }

  private constructor(
    private readonly address: string,
    private readonly port: number,
    family: 4 | 6,
  ) {
    this.#socket = createSocket(family === 6 ? "udp6" : "udp4");
    this.#socket.on("error", () => undefined); // a refused datagram: nobody listens, and the next message says so again
    this.#socket.unref();
  }

  udp(message: string): Promise<void> {
    return within(UDP_MS, "the datagram did not leave", (done) => this.#socket.send(message, this.port, this.address, (error) => done(error ?? undefined)), () => undefined);
  }

  /** onemonitord reads until the other end closes, and closes then itself: what only the kernels have may still be lost. */
  tcp(message: string): Promise<void> {
    const socket = createConnection({ host: this.address, port: this.port });
    return within(TCP_MS, "the front-end did not take the message", (done) => {
      socket.on("error", done);
      socket.on("connect", () => socket.end(message));
      socket.on("close", () => done());
      socket.on("data", () => undefined);
    }, () => socket.destroy());
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

async function within(ms: number, late: string, start: (done: (error?: Error) => void) => void, end: () => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(late)), ms);
  try {
    start((error) => (error ? reject(error) : resolve()));
    await promise;
  } finally {
    clearTimeout(timer);
    end();
  }
}
