import type { Deadline } from "./core/deadline.ts";
import { OnevirtError } from "./core/errors.ts";

/** All of stdin as text, up to `maxBytes` and a little more: the reader of the document refuses what is longer. TIMED_OUT for a caller that neither writes nor closes its end. */
export async function stdinWithin(deadline: Deadline, what: string, maxBytes: number): Promise<string> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new OnevirtError("TIMED_OUT", `Cannot read ${what}: stdin did not end in time`)), Math.min(deadline.remainingMs(), 0x7fff_ffff));
  try {
    return await Promise.race([readStdin(maxBytes), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function readStdin(maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of Bun.stdin.stream()) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}
