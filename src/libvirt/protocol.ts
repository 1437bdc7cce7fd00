import type { ErrorCode, LibvirtError } from "../core/errors.ts";
import type { BlockingHypervisor } from "./hypervisor.ts";

/** Operations that the worker serves: the methods of the blocking object. */
export type Operation = Exclude<{ [K in keyof BlockingHypervisor]: BlockingHypervisor[K] extends (...args: never[]) => unknown ? K : never }[keyof BlockingHypervisor], symbol>;

/** First message to a worker: what it is for. The trace target travels along, because a worker has its own copy of everything. */
export interface Start {
  readonly role: "operations" | "listener";
  readonly uri: string;
  readonly readOnly: boolean;
  readonly trace: string | undefined;
  /** Shared memory; its first element is set to 1 when the worker should end. */
  readonly end: Int32Array;
  /** Where libvirt.so.0 is looked for, when not in the usual places (tests). */
  readonly libraryPaths?: readonly string[];
}

export interface Request {
  readonly id: number;
  readonly operation: Operation;
  readonly args: readonly unknown[];
}

/** Loads the library ahead of the start, while the other thread still reads the configuration. */
export interface Prepare {
  readonly prepare: true;
  readonly trace: string | undefined;
}

/** What a worker receives: perhaps a prepare, then a start, then requests, at last "stop". */
export type Message = Prepare | Start | Request | "stop";

/** An error as plain data: classes do not survive the way between threads. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly libvirt?: LibvirtError | undefined;
}

export type Reply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: PlainError }
  | { readonly event: "ready" }
  | { readonly event: "stopped"; readonly uuid: string }
  | { readonly event: "lost"; readonly error: PlainError };
