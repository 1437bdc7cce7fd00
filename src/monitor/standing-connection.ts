import type { Context, Hypervisor } from "../core/ports.ts";

/** What a connection of its own is for: neither waits for the other, and states wait for neither. */
export type Purpose = "statistics" | "guests";

/** Connections by what opens them, which is one for each process. */
const open = new WeakMap<Context["hypervisorAt"], Map<Purpose, Hypervisor>>();

/** A connection for questions that may wait for a QEMU or a guest. It stays open from pass to pass, and ends with the process. */
export function standingConnection({ hypervisor, hypervisorAt }: Pick<Context, "hypervisor" | "hypervisorAt">, purpose: Purpose): Hypervisor {
  const known = open.get(hypervisorAt) ?? new Map<Purpose, Hypervisor>();
  open.set(hypervisorAt, known);
  const connection = known.get(purpose) ?? hypervisorAt(hypervisor.uri);
  known.set(purpose, connection);
  return connection;
}
