import { JSCallback, type Pointer } from "bun:ffi";
import { OnevirtError } from "../core/errors.ts";
import type { LifecycleEvent, LifecycleKind } from "../core/ports.ts";
import { Connection } from "./connection.ts";
import { identify } from "./identity.ts";
import type { Library } from "./library.ts";
import { VIR } from "./numbers.ts";

const KINDS: Readonly<Record<number, LifecycleKind>> = {
  [VIR.VIR_DOMAIN_EVENT_DEFINED]: "defined",
  [VIR.VIR_DOMAIN_EVENT_UNDEFINED]: "undefined",
  [VIR.VIR_DOMAIN_EVENT_STARTED]: "started",
  [VIR.VIR_DOMAIN_EVENT_SUSPENDED]: "suspended",
  [VIR.VIR_DOMAIN_EVENT_RESUMED]: "resumed",
  [VIR.VIR_DOMAIN_EVENT_STOPPED]: "stopped",
  [VIR.VIR_DOMAIN_EVENT_SHUTDOWN]: "shutdown",
  [VIR.VIR_DOMAIN_EVENT_PMSUSPENDED]: "pmsuspended",
  [VIR.VIR_DOMAIN_EVENT_CRASHED]: "crashed",
};

/** How often the loop looks whether it should end, which nobody waits for. A connection that closes ends the round at once, as an event does. */
const ROUND_MS = 5000;

/** What a listener tells: it listens; something happened to a domain, or to one of its devices; it lost its connection and has ended. */
export interface ListenerReports {
  ready(): void;
  lifecycle(event: LifecycleEvent): void;
  removal(uuid: string, alias: string, removed: boolean): void;
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
  using _events = eventsOf(connection, reports);
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

/** Reports of all domains. A daemon that knows no removal of devices sends none: whoever waits for one looks at the document in the end. */
function eventsOf(connection: Connection, reports: ListenerReports): Disposable {
  const { calls } = connection.library;
  const uuidOf = (domain: Pointer) => identify(connection, domain).uuid;
  const onLife = (_connection: Pointer, domain: Pointer, event: number, detail: number): number => {
    const { uuid, name } = identify(connection, domain);
    const kind = KINDS[event];
    if (kind) reports.lifecycle({ uuid, name, kind, detail });
    return 0;
  };
  const onRemoval = (removed: boolean) => (_connection: Pointer, domain: Pointer, alias: string | null) => reports.removal(uuidOf(domain), String(alias ?? ""), removed);
  const life = new JSCallback(onLife, { args: ["ptr", "ptr", "i32", "i32", "ptr"], returns: "i32" });
  const removed = new JSCallback(onRemoval(true), { args: ["ptr", "ptr", "cstring", "ptr"], returns: "void" });
  const refused = new JSCallback(onRemoval(false), { args: ["ptr", "ptr", "cstring", "ptr"], returns: "void" });
  const register = (event: number, callback: JSCallback) => calls.virConnectDomainEventRegisterAny(connection.pointer, null, event, required(callback), null, null);
  const ids = [
    connection.check(register(VIR.VIR_DOMAIN_EVENT_ID_LIFECYCLE, life), "listen to lifecycle events"),
    register(VIR.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, removed),
    register(VIR.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, refused),
  ];
  return {
    [Symbol.dispose]: () => {
      for (const id of ids) if (id >= 0) calls.virConnectDomainEventDeregisterAny(connection.pointer, id);
      calls.virEventRunDefaultImpl(); // libvirt forgets the callbacks on the next round; only then may they be closed
      for (const callback of [life, removed, refused]) callback.close();
    },
  };
}

function required({ ptr }: JSCallback): Pointer {
  if (ptr === null) throw new OnevirtError("NOT_SUPPORTED", "Cannot listen to events: the runtime gave no callback address");
  return ptr;
}
