import { closeSync, readSync, writeSync } from "node:fs";

const CHUNK_BYTES = 1 << 20;

/** Works on an open file and closes it, whatever happens. */
export function closing<T>(fd: number, work: (fd: number) => T): T {
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}

/** SHA-256 of what an open file holds, from its start. */
export function digestOf(fd: number): string {
  const hash = new Bun.CryptoHasher("sha256");
  forEachChunk(fd, (chunk) => void hash.update(chunk));
  return hash.digest("hex");
}

export function digestOfText(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** Copies one open file into another. */
export function copyBytes(from: number, to: number): void {
  forEachChunk(from, (chunk) => writeAll(to, chunk));
}

export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
}

/** The first bytes of an open file as text. */
export function headOf(fd: number, bytes: number): string {
  const buffer = Buffer.alloc(bytes);
  return buffer.toString("utf8", 0, readSync(fd, buffer, 0, bytes, 0));
}

/** The whole of a small open file as text. */
export function textOf(fd: number): string {
  const chunks: Buffer[] = [];
  forEachChunk(fd, (chunk) => void chunks.push(Buffer.from(chunk)));
  return Buffer.concat(chunks).toString("utf8");
}

function forEachChunk(fd: number, use: (chunk: Uint8Array) => void): void {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let position = 0; ; ) {
    const size = readSync(fd, buffer, 0, CHUNK_BYTES, position);
    if (size === 0) return;
    use(buffer.subarray(0, size));
    position += size;
  }
}
