import { JSCallback, type Pointer } from "bun:ffi";
import { OnevirtError } from "../core/errors.ts";
import { Connection } from "./connection.ts";
import { identify } from "./identity.ts";
import type { Library } from "./library.ts";
import { VIR } from "./numbers.ts";

/** The events after which a domain may be gone. */
const ENDS: ReadonlySet<number> = new Set([VIR.VIR_DOMAIN_EVENT_UNDEFINED, VIR.VIR_DOMAIN_EVENT_STOPPED, VIR.VIR_DOMAIN_EVENT_CRASHED]);

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
  if (ended()) return; // abandoned while it was connecting: by now another thread may run the loop
  using _rounds = regularRounds(library);
  using _events = lifecycleEvents(connection, reports);
  reports.ready();
  while (!ended() && connection.alive) calls.virEventRunDefaultImpl();
  if (!ended()) reports.lost(`the connection to ${uri} was closed`);
}

/** A timer, so that the loop returns now and then. The loop outlives this thread: the timer must go before its callback does. */
function regularRounds({ calls }: Library): Disposable {
  const callback = new JSCallback(() => undefined, { args: ["i32", "ptr"], returns: "void" });
  const timer = calls.virEventAddTimeout(ROUND_MS, required(callback), null, null);
  return {
    [Symbol.dispose]: () => {
      calls.virEventRemoveTimeout(timer);
      callback.close();
    },
  };
}

/** Reports of domains that end. */
function lifecycleEvents(connection: Connection, reports: ListenerReports): Disposable {
  const { calls } = connection.library;
  const onEvent = (_connection: Pointer, domain: Pointer, event: number): number => {
    if (ENDS.has(event)) reports.stopped(identify(connection, domain).uuid);
    return 0;
  };
  const callback = new JSCallback(onEvent, { args: ["ptr", "ptr", "i32", "i32", "ptr"], returns: "i32" });
  const registered = calls.virConnectDomainEventRegisterAny(connection.pointer, null, VIR.VIR_DOMAIN_EVENT_ID_LIFECYCLE, required(callback), null, null);
  const id = connection.check(registered, "listen to lifecycle events");
  return {
    [Symbol.dispose]: () => {
      calls.virConnectDomainEventDeregisterAny(connection.pointer, id);
      calls.virEventRunDefaultImpl(); // libvirt forgets the callback on the next round; only then may it be closed
      callback.close();
    },
  };
}

function required({ ptr }: JSCallback): Pointer {
  if (ptr === null) throw new OnevirtError("NOT_SUPPORTED", "Cannot listen to events: the runtime gave no callback address");
  return ptr;
}
