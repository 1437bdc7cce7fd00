import type { ErrorCode, LibvirtError } from "../core/errors.ts";
import type { LifecycleEvent } from "../core/ports.ts";
import type { BlockingDevices } from "./devices.ts";
import type { BlockingGuest } from "./guest.ts";
import type { BlockingHypervisor } from "./hypervisor.ts";
import type { BlockingJobs } from "./jobs.ts";
import type { BlockingJudge } from "./judge.ts";
import type { BlockingMigration } from "./migration.ts";
import type { BlockingNode } from "./node.ts";
import type { BlockingSaveImages } from "./save-images.ts";
import type { BlockingSnapshots } from "./snapshots.ts";

/** What threads serve: the methods of these blocking objects, by the name of the object. */
export interface Served {
  readonly hypervisor: BlockingHypervisor;
  readonly devices: BlockingDevices;
  readonly guest: BlockingGuest;
  readonly node: BlockingNode;
  readonly snapshots: BlockingSnapshots;
  readonly images: BlockingSaveImages;
  readonly jobs: BlockingJobs;
  readonly migration: BlockingMigration;
  readonly judge: BlockingJudge;
}

/** What answers at once, or is held up by one guest only. */
const OPERATIONS = ["hypervisor", "devices", "guest", "node", "snapshots"] as const;

/**
 * The objects of each thread. What may take hours, and what must answer meanwhile, have threads of their own; only "judge" can define
 * anything. At another daemon, whose connection is dear, a migration uses that of the questions: nobody asks them meanwhile.
 */
export const THREADS = {
  operations: OPERATIONS,
  elsewhere: [...OPERATIONS, "migration"],
  long: ["snapshots", "images"],
  jobs: ["jobs"],
  migration: ["migration"],
  judge: ["judge"],
} as const satisfies Record<string, readonly (keyof Served)[]>;

export type ThreadRole = keyof typeof THREADS;

/** Operations of one blocking object. */
export type Operation<O extends keyof Served> = Extract<{ [K in keyof Served[O]]: Served[O][K] extends (...args: never[]) => unknown ? K : never }[keyof Served[O]], string>;

/** What an operation is given, and what it gives. */
export type ArgumentsOf<O extends keyof Served, M extends Operation<O>> = Served[O][M] extends (...args: infer A) => unknown ? A : never;
export type ResultOf<O extends keyof Served, M extends Operation<O>> = Served[O][M] extends (...args: never[]) => infer T ? T : never;

/** First message to a worker: what it is for. The trace target travels along, because a worker has its own copy of everything. */
export interface Start {
  readonly role: ThreadRole | "listener";
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
  readonly object: keyof Served;
  readonly operation: string;
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
  | ({ readonly event: "lifecycle" } & LifecycleEvent)
  | { readonly event: "removal"; readonly uuid: string; readonly alias: string; readonly removed: boolean }
  | { readonly event: "lost"; readonly error: PlainError };
