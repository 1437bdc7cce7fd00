import type { ConsolaInstance } from "consola";

/**
 * Messages to a person at a terminal: all of them on stderr, coloured only where that is wanted. Loaded when there is something to
 * say, because consola opens both output streams; nothing that oned waits for uses it.
 */
export async function people(): Promise<ConsolaInstance> {
  const { createConsola } = await import("consola");
  return createConsola({ level: 3, stdout: process.stderr, stderr: process.stderr, formatOptions: { date: false } });
}
