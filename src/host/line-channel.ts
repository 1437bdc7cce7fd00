/** Longest line that is kept: messages are far below, and what never ends must not fill the memory. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Gives every line of stdin to `onLine`, at once and without its line feed; resolves at the end of input. */
export async function readLines(onLine: (line: string) => void): Promise<void> {
  const splitter = new LineSplitter(onLine);
  for await (const chunk of Bun.stdin.stream()) splitter.push(chunk);
}

/** Cuts a stream of bytes into lines; each byte is looked at once, however a line is cut into chunks. */
export class LineSplitter {
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(private readonly onLine: (line: string) => void) {}

  push(chunk: Uint8Array): void {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      this.#keep(chunk.subarray(from, at));
      this.#emit();
      from = at + 1;
    }
    this.#keep(chunk.slice(from));
  }

  #keep(part: Uint8Array): void {
    this.#bytes += part.length;
    if (part.length > 0 && this.#bytes <= MOST_BYTES) this.#parts.push(part);
  }

  #emit(): void {
    const line = this.#bytes > MOST_BYTES ? "" : Buffer.concat(this.#parts).toString("utf8");
    this.#parts = [];
    this.#bytes = 0;
    this.onLine(line);
  }
}

/** The one writer of stdout: whole lines in order, at the reader's pace, without blocking (driver-protocol.md 18.7). */
export class LineWriter {
  #queue: string[] = [];
  #writing: Promise<void> | undefined;
  #isClosed = false;

  /** `onClosed` is called once when nobody reads any more. */
  constructor(private readonly onClosed: () => void) {}

  line(text: string): void {
    if (this.#isClosed) return;
    this.#queue.push(text);
    this.#writing ??= this.#drain();
  }

  /** Resolves when all lines are written, or cannot be. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  /** The first line of a burst is written alone: INIT's answer must be (driver-protocol.md 2.1). */
  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0) await Bun.write(Bun.stdout, this.#queue.splice(0).join(""));
    } catch {
      this.#isClosed = true;
      this.#queue = [];
      this.onClosed();
    }
    // Here and not in a later callback: a line that comes in between would find a writer that has already stopped.
    this.#writing = undefined;
  }
}
