import type { FrontEnd, Output, Processes, Recorder, Timers } from "./ports.ts";
import type { Queue } from "./queue.ts";
import type { RemotesSync } from "./remotes-sync.ts";
import type { DriverSettings } from "./settings.ts";
import type { SessionShelf } from "./session-shelf.ts";
import type { Slots } from "./slots.ts";

/** What all actions of one driver share. */
export interface World {
  readonly settings: DriverSettings;
  readonly processes: Processes;
  readonly timers: Timers;
  readonly frontEnd: FrontEnd;
  readonly output: Output;
  readonly queue: Queue;
  readonly slots: Slots;
  readonly shelf: SessionShelf;
  readonly sync: RemotesSync;
  /** A word nobody can guess, for the markers of a session (driver-protocol.md 9.4). */
  readonly token: () => string;
  readonly recorder: Recorder | undefined;
  /** Set when the driver ends: no roll-back is begun any more (driver-protocol.md 2.2). */
  readonly ending: AbortSignal;
}
