import type { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { Clock, Hypervisor, Log, StateStore } from "../core/ports.ts";

/** A guest may take a moment to write out what it holds; longer, and its applications suffer. */
const FREEZE_SECONDS = 30;
const THAW_SECONDS = 10;
const THAW_AGAIN_MS = 1000;

/** What freezing needs. */
export interface FreezePorts {
  readonly hypervisor: Hypervisor;
  readonly state: StateStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** One freeze, so that whoever thaws later thaws this one and no other. */
export interface Frozen {
  readonly uuid: string;
  readonly token: string;
  /** How long it may last. */
  readonly seconds: number;
}

/**
 * Freezes the file systems of a guest. `arm` is called before, and must see to it that the guest is thawed whatever becomes of this process.
 * When the guest does not answer it is thawed at once: it may have frozen after all.
 */
export async function freezeGuest(frozen: Frozen, arm: () => Promise<void>, ports: FreezePorts, deadline: Deadline): Promise<number> {
  const { hypervisor, state } = ports;
  if (read(frozen.uuid, ports) !== undefined) throw new OnevirtError("BUSY", "its file systems are frozen already", { hint: "onevirt guest thaw ends that" });
  state.write(nameOf(frozen.uuid), { token: frozen.token, until: ports.clock.nowMs() + (frozen.seconds + THAW_SECONDS) * 1000 });
  try {
    await arm();
    return await hypervisor.guest.freeze(frozen.uuid, undefined, deadline.within(FREEZE_SECONDS));
  } catch (error) {
    if (!hasCode(error, "TIMED_OUT", "CONNECTION_LOST", "AGENT_UNRESPONSIVE")) state.write(nameOf(frozen.uuid), {}); // refused: nothing is frozen
    else await thawGuest(frozen, ports, deadline).catch((thawing: unknown) => ports.log.log("ERROR", `The guest was not thawed: ${messageOf(thawing)}`));
    throw error;
  }
}

/** Thaws a guest, again and again until it answers or the deadline passes. Nothing happens when the freeze with this token is over; without a token, any freeze ends. */
export async function thawGuest({ uuid, token }: { readonly uuid: string; readonly token: string | undefined }, ports: FreezePorts, deadline: Deadline): Promise<number> {
  const { hypervisor, state, clock, log } = ports;
  if (token !== undefined && keptToken(uuid, ports.state) !== token) return 0; // also long after its time: it must end
  for (;;) {
    try {
      const count = await hypervisor.guest.thaw(uuid, undefined, deadline.within(THAW_SECONDS));
      state.write(nameOf(uuid), {});
      return count;
    } catch (error) {
      if (hasCode(error, "DOMAIN_NOT_FOUND", "INVALID_STATE")) {
        state.write(nameOf(uuid), {}); // a guest that is off is not frozen
        return 0;
      }
      if (deadline.remainingMs() <= THAW_AGAIN_MS) throw error;
      log.log("WARN", `The guest was not thawed (${messageOf(error)}), trying again`);
      await clock.sleep(THAW_AGAIN_MS);
    }
  }
}

function keptToken(uuid: string, state: StateStore): string | undefined {
  return (state.read(nameOf(uuid)) as { readonly token?: string } | undefined)?.token;
}

/** The token of the freeze that lasts; one that should have ended long ago stands in nobody's way. */
function read(uuid: string, { state, clock }: FreezePorts): string | undefined {
  const { token, until = 0 } = (state.read(nameOf(uuid)) ?? {}) as { readonly token?: string; readonly until?: number };
  return clock.nowMs() < until ? token : undefined;
}

function nameOf(uuid: string): string {
  return `frozen-${uuid}`;
}
