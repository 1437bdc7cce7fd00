import type { Deadline } from "../core/deadline.ts";
import type { OnevirtError } from "../core/errors.ts";
import type { LifecycleEvent, LifecycleKind, LifecycleWatch, RemovalAnswer, RemovalWatch, StopWatch } from "../core/ports.ts";
import { type EventListener, untilDeadline } from "./event-listener.ts";

/** The events after which a domain may be gone. */
const ENDS: ReadonlySet<LifecycleKind> = new Set(["undefined", "stopped", "crashed"]);

/** Listens for the end of one domain. */
export async function watchStop(listener: EventListener, uuid: string, deadline: Deadline): Promise<StopWatch> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const subscription = await listener.subscribe({
    hear: (event) => void (event.event === "lifecycle" && event.uuid === uuid && ENDS.has(event.kind) && resolve(true)),
    lose: () => resolve(false),
  }, deadline);
  return { stopped: (until) => untilDeadline(promise, until, false), [Symbol.dispose]: () => subscription[Symbol.dispose]() };
}

/** Listens for the removal of one device; with its domain it is gone, too. */
export async function watchRemoval(listener: EventListener, uuid: string, alias: string, deadline: Deadline): Promise<RemovalWatch> {
  const { promise, resolve } = Promise.withResolvers<RemovalAnswer>();
  const subscription = await listener.subscribe({
    hear: (event) => {
      if (event.uuid !== uuid) return;
      if (event.event === "lifecycle" ? event.kind === "stopped" : event.alias === alias) resolve(event.event === "lifecycle" || event.removed ? "removed" : "refused");
    },
    lose: () => resolve("silent"),
  }, deadline);
  return { answer: (until) => untilDeadline(promise, until, "silent" as const), [Symbol.dispose]: () => subscription[Symbol.dispose]() };
}

/** Listens for the life of all domains. */
export async function watchLifecycle(listener: EventListener, report: (event: LifecycleEvent) => void, deadline: Deadline): Promise<LifecycleWatch> {
  const { promise, resolve } = Promise.withResolvers<OnevirtError>();
  const subscription = await listener.subscribe({
    hear: (event) => void (event.event === "lifecycle" && report({ uuid: event.uuid, name: event.name, kind: event.kind, detail: event.detail })),
    lose: resolve,
  }, deadline);
  return { lost: promise, [Symbol.dispose]: () => subscription[Symbol.dispose]() };
}
