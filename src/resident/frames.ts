import { deserialize, serialize } from "bun:jsc";

const HEADER_BYTES = 4;

/** Larger is no answer of libvirt, whose protocol ends at 32 MiB (VIR_NET_MESSAGE_MAX of virnetprotocol.x). */
const MAX_FRAME_BYTES = 33 * 1024 * 1024;

/** What frames are written to: as much as the socket takes, the rest when it drains. */
export interface Sink {
  write(bytes: Uint8Array): number;
}

/** Messages over a byte stream: a length of four bytes, then the structured clone, which keeps bigint and undefined as threads do. */
export class Frames {
  #received = Buffer.alloc(0);
  #unsent: Uint8Array[] = [];

  /** Sends one message; what the socket does not take at once goes out with `drain`. */
  send(sink: Sink, message: unknown): void {
    const body = new Uint8Array(serialize(message, { binaryType: "arraybuffer" }));
    const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
    frame.writeUInt32LE(body.length, 0);
    frame.set(body, HEADER_BYTES);
    this.#unsent.push(frame);
    this.drain(sink);
  }

  /** Sends what is left; to be called when the socket says that it drained. */
  drain(sink: Sink): void {
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      const written = Math.max(0, sink.write(next));
      if (written < next.length) {
        this.#unsent[0] = next.subarray(written);
        return;
      }
      this.#unsent.shift();
    }
  }

  /** The messages that are complete with these bytes. A length that cannot be is a RangeError: the other end is not one of us. */
  receive(bytes: Uint8Array): readonly unknown[] {
    this.#received = this.#received.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#received, bytes]);
    const messages: unknown[] = [];
    while (this.#received.length >= HEADER_BYTES) {
      const length = this.#received.readUInt32LE(0);
      if (length > MAX_FRAME_BYTES) throw new RangeError(`Cannot read a frame of ${length} bytes`);
      if (this.#received.length < HEADER_BYTES + length) break;
      messages.push(deserialize(Uint8Array.from(this.#received.subarray(HEADER_BYTES, HEADER_BYTES + length)).buffer));
      this.#received = this.#received.subarray(HEADER_BYTES + length);
    }
    return messages;
  }
}
