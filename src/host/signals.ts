import { setSignalMask } from "./libc.ts";

/** No signal at all, in a set larger than any sigset_t on Linux. */
const EMPTY_SET = new Uint8Array(128);

/**
 * Lets all signals through again. oned starts drivers with every signal blocked, the mask survives exec and is inherited by whatever
 * is started: without this neither the driver nor its children can be ended by SIGTERM (driver-protocol.md 1.1). Main thread, first thing.
 */
export function unblockSignals(): void {
  setSignalMask(EMPTY_SET);
}
