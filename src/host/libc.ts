import { dlopen } from "bun:ffi";

/** The functions of the C library that neither the runtime nor node's modules offer. */
const FUNCTIONS = {
  // int flock(int fd, int operation)
  flock: { args: ["i32", "i32"], returns: "i32" },
  // int sigprocmask(int how, const sigset_t *set, sigset_t *oldset)
  sigprocmask: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  // int madvise(void *addr, size_t length, int advice)
  madvise: { args: ["u64", "u64", "i32"], returns: "i32" },
} as const;

/** flock(2) operations. */
const LOCK_EXCLUSIVE = 2;
const LOCK_NOT_BLOCKING = 4;

const SIG_SETMASK = 2;

/** madvise(2). */
const MADV_DONTNEED = 4;

let loaded: ReturnType<typeof load> | undefined;

/** Takes an exclusive lock on an open file without waiting; says whether it was free. The kernel gives it back when the process ends, however it ends. */
export function tryLock(fd: number): boolean {
  return libc().flock(fd, LOCK_EXCLUSIVE | LOCK_NOT_BLOCKING) === 0;
}

/** Sets which signals this thread holds back; `mask` is at least as large as the C library's sigset_t (128 bytes on Linux). */
export function setSignalMask(mask: Uint8Array): void {
  libc().sigprocmask(SIG_SETMASK, mask, null);
}

/** Takes pages of this process away: of a file's they come back from the file when they are touched, any others are lost. */
export function dropPages(address: number, bytes: number): void {
  libc().madvise(address, bytes, MADV_DONTNEED);
}

function libc() {
  return (loaded ??= load());
}

function load() {
  return dlopen("libc.so.6", FUNCTIONS).symbols;
}
