import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { decode, type Received } from "../unit/agent/wire.ts";
import { Beliefs } from "./beliefs.ts";

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
  /** What oned makes of the reports, for VMs that it was told of. */
  readonly beliefs: Beliefs;
  #tcp: Server | undefined;
  #udp: DatagramSocket | undefined;
  readonly #open = new Set<Socket>();

  private constructor(
    readonly address: string,
    public port: number,
    deafMs?: number,
  ) {
    this.beliefs = new Beliefs(deafMs);
  }

  /** `deafMs` is for oned behind it, see Beliefs. */
  static async open(address = "0.0.0.0", deafMs?: number): Promise<FrontEnd> {
    const front = new FrontEnd(address, 0, deafMs);
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

  /** All reports of a VM's state since a moment. */
  states(id: number, since = 0): readonly { readonly at: number; readonly state: string }[] {
    return this.of("STATE_VM").filter(({ at }) => at >= since).flatMap(({ at, text }) => [...text.matchAll(new RegExp(`ID="${id}".*STATE="(\\w+)"`, "g"))].map(([, state = ""]) => ({ at, state })));
  }

  /** When a VM was first reported in a state since a moment; waits for it, and fails with what came instead. */
  async whenCame(id: number, state: string, since: number, seconds: number): Promise<number> {
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const found = this.states(id, since).find((each) => each.state === state);
      if (found) return found.at;
      if (performance.now() > end) throw new Error(`${state} of VM ${id} did not come within ${seconds} s, only ${JSON.stringify(this.states(id, since))}`);
      await Bun.sleep(20);
    }
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
      const heard = { ...decode(message), by, at: performance.now() };
      this.heard.push(heard);
      if (heard.type === "STATE_VM" && heard.status === "SUCCESS") this.beliefs.hear(heard.text, heard.at);
    } catch {
      this.undecodable++;
    }
  }
}
