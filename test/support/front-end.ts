import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { decode, type Received } from "../unit/agent/wire.ts";

/** A message, and when it came: ms of the monotonic kind. */
export interface Heard extends Received {
  readonly at: number;
  readonly by: "tcp" | "udp";
}

/** onemonitord's two ears, on one port, with the ways in which they may fail. What they hear is decoded by rules written down apart from ours. */
export class FrontEnd implements AsyncDisposable {
  readonly heard: Heard[] = [];
  /** Messages that were cut, as onemonitord sees one whose sender has given up. */
  undecodable = 0;
  /** Connections are taken, and nothing is read from them. */
  mute = false;
  #tcp: Server | undefined;
  #udp: DatagramSocket | undefined;
  readonly #open = new Set<Socket>();

  private constructor(
    readonly address: string,
    public port: number,
  ) {}

  static async open(address = "0.0.0.0"): Promise<FrontEnd> {
    const front = new FrontEnd(address, 0);
    await front.up();
    return front;
  }

  /** Listens, on the port that it had before. */
  async up(): Promise<void> {
    await this.#listenTcp();
    await this.listenUdp();
  }

  /** As if onemonitord had ended: connections are refused, and datagrams too. */
  async down(): Promise<void> {
    this.closeUdp();
    for (const socket of this.#open) socket.destroy();
    await new Promise((resolve) => (this.#tcp ? this.#tcp.close(resolve) : resolve(undefined)));
    this.#tcp = undefined;
  }

  async listenUdp(): Promise<void> {
    const socket = createSocket("udp4");
    socket.on("message", (bytes) => this.#take("udp", bytes.toString("latin1")));
    await new Promise<void>((resolve) => socket.bind(this.port, this.address, resolve));
    this.#udp = socket;
  }

  /** Datagrams are refused. */
  closeUdp(): void {
    this.#udp?.close();
    this.#udp = undefined;
  }

  /** Reads what waits, and from now on what comes. */
  listenAgain(): void {
    this.mute = false;
    for (const socket of this.#open) socket.resume();
  }

  of(type: string): readonly Heard[] {
    return this.heard.filter((message) => message.type === type);
  }

  texts(type: string): readonly string[] {
    return this.of(type).map(({ text }) => text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  async #listenTcp(): Promise<void> {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: false }, (socket) => this.#receive(socket));
    await new Promise<void>((resolve) => server.listen(this.port, this.address, resolve));
    this.#tcp = server;
    this.port = (server.address() as { readonly port: number }).port;
  }

  #receive(socket: Socket): void {
    const chunks: Buffer[] = [];
    this.#open.add(socket);
    socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
    socket.on("error", () => undefined);
    socket.on("end", () => this.#take("tcp", Buffer.concat(chunks).toString("latin1")));
    socket.on("close", () => void this.#open.delete(socket));
    if (this.mute) socket.pause();
    else socket.resume();
  }

  #take(by: Heard["by"], message: string): void {
    try {
      this.heard.push({ ...decode(message), by, at: performance.now() });
    } catch {
      this.undecodable++;
    }
  }
}
