import { JSCallback, type Pointer } from "bun:ffi";
import { OnevirtError } from "../core/errors.ts";
import { Connection } from "./connection.ts";
import { identify } from "./identity.ts";
import type { Library } from "./library.ts";

/** VIR_DOMAIN_EVENT_ID_LIFECYCLE, and the events after which a domain may be gone: stopped, undefined, crashed. */
const LIFECYCLE = 0;
const ENDS: ReadonlySet<number> = new Set([1, 5, 8]);

/** How often the loop looks whether it should end, and whether the daemon is still there: a restart of libvirtd sends no event. */
const ROUND_MS = 200;

/** What a listener tells: it listens; a domain stopped; it lost its connection and has ended. */
export interface ListenerReports {
  ready(): void;
  stopped(uuid: string): void;
  lost(reason: string): void;
}

/**
 * Runs libvirt's event loop on a connection of its own until `ended` says so. It blocks its thread: callbacks come from the thread
 * that registered them, the only pattern that is safe and immediate (bun-notes 4.4).
 */
export function listen(library: Library, uri: string, reports: ListenerReports, ended: () => boolean): void {
  const { calls } = library;
  calls.virEventRegisterDefaultImpl(); // before the connection, or it gets no events
  using connection = Connection.open(library, uri, true);
  using callbacks = new DisposableStack();
  const round = callbacks.adopt(new JSCallback(() => undefined, { args: ["i32", "ptr"], returns: "void" }), (each) => each.close());
  const event = callbacks.adopt(lifecycleCallback(connection, reports), (each) => each.close());
  calls.virEventAddTimeout(ROUND_MS, required(round.ptr), null, null);
  const id = connection.check(calls.virConnectDomainEventRegisterAny(connection.pointer, null, LIFECYCLE, required(event.ptr), null, null), "listen to lifecycle events");
  reports.ready();
  while (!ended() && connection.alive) calls.virEventRunDefaultImpl();
  if (!connection.alive) return reports.lost(`the connection to ${uri} was closed`);
  calls.virConnectDomainEventDeregisterAny(connection.pointer, id);
  calls.virEventRunDefaultImpl(); // libvirt forgets the callback on the next round; only then may it be closed
}

function lifecycleCallback(connection: Connection, reports: ListenerReports): JSCallback {
  const onEvent = (_connection: Pointer, domain: Pointer, event: number): number => {
    if (ENDS.has(event)) reports.stopped(identify(connection, domain).uuid);
    return 0;
  };
  return new JSCallback(onEvent, { args: ["ptr", "ptr", "i32", "i32", "ptr"], returns: "i32" });
}

function required(pointer: Pointer | null): Pointer {
  if (pointer === null) throw new OnevirtError("NOT_SUPPORTED", "Cannot listen to events: the runtime gave no callback address");
  return pointer;
}
