import { dlopen } from "bun:ffi";

/** flock(2) operations. */
const LOCK_EXCLUSIVE = 2;
const LOCK_NOT_BLOCKING = 4;

let libc: { readonly flock: (fd: number, operation: number) => number } | undefined;

/** Takes an exclusive lock on an open file without waiting; says whether it was free. The kernel gives it back when the process ends, however it ends. */
export function tryLock(fd: number): boolean {
  libc ??= dlopen("libc.so.6", { flock: { args: ["i32", "i32"], returns: "i32" } }).symbols;
  return libc.flock(fd, LOCK_EXCLUSIVE | LOCK_NOT_BLOCKING) === 0;
}
