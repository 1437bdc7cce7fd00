import type { Deadline } from "../core/deadline.ts";
import { messageOf } from "../core/errors.ts";
import type { Clock, DomainStatus, Hypervisor } from "../core/ports.ts";
import { isActive, type PausedReason, pausedReason } from "../core/states.ts";

/** What one side says of the VM. "absent" includes a definition that does not run. */
export type SideView =
  | { readonly now: "running" | "absent"; readonly words: string; readonly defined: boolean }
  | { readonly now: "paused"; readonly reason: PausedReason; readonly words: string; readonly defined: boolean }
  | { readonly now: "unknown"; readonly words: string };

export interface Sides {
  readonly source: SideView;
  readonly destination: SideView;
}

/** Who runs the VM. "between": both sides have it, as in the middle of a handover, or when somebody let both run. */
export type Owner = "source" | "destination" | "neither" | "between" | "unknown";

const LOOK_SECONDS = 15;
const AGAIN_MS = 1000;

/** The rule, as a pure function of what both sides say: a VM that executes on one side is its, on both it is nobody's to judge, and who cannot be asked has said nothing. */
export function ownerOf({ source, destination }: Sides): Owner {
  if (source.now === "running" && destination.now === "running") return "between";
  if (source.now === "running") return "source";
  if (destination.now === "running") return "destination";
  if (source.now === "unknown" || destination.now === "unknown") return "unknown";
  if (source.now === "absent") return destination.now === "absent" ? "neither" : "destination";
  return destination.now === "absent" ? "source" : "between";
}

/** Asks both sides at once. */
export async function askSides(uuid: string, source: Hypervisor, destination: Hypervisor, deadline: Deadline): Promise<Sides> {
  const [here, there] = await Promise.all([view(uuid, source, deadline), view(uuid, destination, deadline)]);
  return { source: here, destination: there };
}

/** Asks until the sides agree, or the deadline: a handover takes moments, and a daemon that is restarted a few seconds. */
export async function settleSides(uuid: string, source: Hypervisor, destination: Hypervisor, clock: Clock, deadline: Deadline): Promise<Sides> {
  for (;;) {
    const sides = await askSides(uuid, source, destination, deadline);
    if (isSettled(sides) || deadline.remainingMs() <= AGAIN_MS) return sides;
    await clock.sleep(AGAIN_MS);
  }
}

/** Only one side has the VM, and both have spoken. */
export function isSettled({ source, destination }: Sides): boolean {
  const known = source.now !== "unknown" && destination.now !== "unknown";
  return known && (source.now === "absent" || destination.now === "absent");
}

async function view(uuid: string, hypervisor: Hypervisor, deadline: Deadline): Promise<SideView> {
  try {
    return viewOf(await hypervisor.find(uuid, deadline.within(LOOK_SECONDS)));
  } catch (error) {
    return { now: "unknown", words: messageOf(error) };
  }
}

/** What a status means for a migration. */
export function viewOf(status: DomainStatus | undefined): SideView {
  if (!status) return { now: "absent", words: "it has no such domain", defined: false };
  const { state, reason } = status;
  if (!isActive(state)) return { now: "absent", words: `it reports the domain ${state}`, defined: true };
  if (state !== "paused") return { now: "running", words: `it reports the domain ${state}`, defined: true };
  const why = pausedReason(reason);
  return { now: "paused", reason: why, words: `it reports the domain paused (${why})`, defined: true };
}

/** Both sides as a clause for messages. */
export function showSides({ source, destination }: Sides, hosts: { readonly source: string; readonly destination: string }): string {
  return `${hosts.source || "the source"}: ${source.words}; ${hosts.destination}: ${destination.words}`;
}
