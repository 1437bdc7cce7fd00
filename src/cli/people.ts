import type { ConsolaInstance } from "consola";

/** Messages to a person at a terminal: one plain line each, all of them on stderr. Loaded when there is something to say; nothing that oned waits for uses it. */
export async function people(): Promise<ConsolaInstance> {
  const { createConsola } = await import("consola/core");
  return createConsola({ level: 3, reporters: [{ log: ({ args }) => console.error(args.join(" ")) }] });
}
