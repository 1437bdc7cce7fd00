import { dlopen, ptr } from "bun:ffi";

const SIG_SETMASK = 2;
/** Larger than any sigset_t on Linux. */
const EMPTY_SET = new Uint8Array(128);

/**
 * Lets all signals through again. oned starts drivers with every signal blocked, the mask survives exec and is inherited by whatever
 * is started: without this neither the driver nor its children can be ended by SIGTERM (driver-protocol.md 1.1). Main thread, first thing.
 */
export function unblockSignals(): void {
  const libc = dlopen("libc.so.6", { sigprocmask: { args: ["i32", "ptr", "ptr"], returns: "i32" } });
  libc.symbols.sigprocmask(SIG_SETMASK, ptr(EMPTY_SET), null);
  libc.close();
}
