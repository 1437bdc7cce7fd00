import type { ErrorCode, LibvirtError } from "../core/errors.ts";
import type { BlockingHypervisor } from "./hypervisor.ts";
import type { BlockingJudge } from "./judge.ts";

/** What a worker serves, by its role: the methods of one blocking object. A thread for operations cannot be asked to define anything. */
export interface Served {
  readonly operations: BlockingHypervisor;
  readonly judge: BlockingJudge;
}

type OperationOf<T> = Extract<{ [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T], string>;

/** Operations of the worker of one role, or of any. */
export type Operation<R extends keyof Served = keyof Served> = { [K in R]: OperationOf<Served[K]> }[R];

/** What an operation is given, and what it gives. */
export type ArgumentsOf<R extends keyof Served, O extends Operation<R>> = Served[R][O & keyof Served[R]] extends (...args: infer A) => unknown ? A : never;
export type ResultOf<R extends keyof Served, O extends Operation<R>> = Served[R][O & keyof Served[R]] extends (...args: never[]) => infer T ? T : never;

/** First message to a worker: what it is for. The trace target travels along, because a worker has its own copy of everything. */
export interface Start {
  readonly role: keyof Served | "listener";
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
