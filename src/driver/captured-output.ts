/** How much of a script's output is kept: its beginning, which holds the answer, and its end, which holds the reason. */
const HEAD_BYTES = 128 * 1024;
const TAIL_BYTES = 64 * 1024;

/** Output of a script, bounded however much it prints; bytes that are no UTF-8 become U+FFFD (driver-protocol.md 18.20). */
export class CapturedOutput {
  #head: Uint8Array[] = [];
  #headBytes = 0;
  #tail: Uint8Array[] = [];
  #tailBytes = 0;
  #dropped = 0;

  push(chunk: Uint8Array): void {
    const room = HEAD_BYTES - this.#headBytes;
    // Copies: chunks of a reader may be reused, and a slice would keep the whole chunk alive.
    if (room > 0) this.#head.push(chunk.slice(0, room));
    this.#headBytes += Math.min(room, chunk.length);
    if (chunk.length > room) this.#pushTail(chunk.slice(room));
  }

  text(): string {
    const lost = this.#dropped > 0 ? [Buffer.from(`\n… ${this.#dropped} bytes left out …\n`)] : [];
    return Buffer.concat([...this.#head, ...lost, ...this.#tail]).toString("utf8");
  }

  #pushTail(chunk: Uint8Array): void {
    this.#tail.push(chunk);
    this.#tailBytes += chunk.length;
    while (this.#tailBytes > TAIL_BYTES) {
      const first = this.#tail[0];
      if (!first) return;
      const excess = Math.min(this.#tailBytes - TAIL_BYTES, first.length);
      if (excess === first.length) this.#tail.shift();
      else this.#tail[0] = first.subarray(excess);
      this.#tailBytes -= excess;
      this.#dropped += excess;
    }
  }
}
