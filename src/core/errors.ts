/** Every way onevirt can fail, as data: what the process returns, and whether asking again may help. Never 42: oned reads that as "scripts missing" (actions.md 1.3). */
export const ERRORS = {
  /** The guest's agent is not there, does not answer, or did not understand. */
  AGENT_UNRESPONSIVE: { exit: 1, retry: true },
  BAD_ARGUMENT: { exit: 2, retry: false },
  BAD_INPUT: { exit: 1, retry: false },
  BAD_CONFIG: { exit: 1, retry: false },
  /** A copy of one of its disks is running. */
  BLOCK_JOB_ACTIVE: { exit: 1, retry: true },
  BUSY: { exit: 1, retry: true },
  /** The connection broke during a call: whatever was asked for may have happened. */
  CONNECTION_LOST: { exit: 1, retry: true },
  COMMAND_FAILED: { exit: 1, retry: false },
  DEVICE_NOT_FOUND: { exit: 1, retry: false },
  DOMAIN_EXISTS: { exit: 1, retry: false },
  DOMAIN_NOT_FOUND: { exit: 1, retry: false },
  FILE_FAILED: { exit: 1, retry: false },
  INVALID_STATE: { exit: 1, retry: false },
  LIBVIRT_FAILED: { exit: 1, retry: false },
  LIBVIRT_MISSING: { exit: 1, retry: false },
  /** No connection: nothing was asked for, and nothing is known about any domain. */
  LIBVIRT_UNREACHABLE: { exit: 1, retry: true },
  NOT_DONE: { exit: 1, retry: true },
  NOT_SUPPORTED: { exit: 1, retry: false },
  OUTCOME_UNKNOWN: { exit: 3, retry: false },
  /** A guest keeps a device that was to be taken from it. */
  REMOVAL_REFUSED: { exit: 1, retry: true },
  SNAPSHOT_NOT_FOUND: { exit: 1, retry: false },
  TIMED_OUT: { exit: 1, retry: true },
} as const satisfies Record<string, { exit: number; retry: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

/** What libvirt said, in its own numbers (virErrorNumber, virErrorDomain) and words. */
export interface LibvirtError {
  readonly code: number;
  readonly domain: number;
  readonly text: string;
}

/** What an error carries besides its code and sentence. */
export interface ErrorDetails {
  /** What somebody can do about it, as a sentence without final period. */
  readonly hint?: string;
  /** libvirt's own report, when libvirt is the source. */
  readonly libvirt?: LibvirtError;
  readonly cause?: unknown;
}

/** The one error class: `code` for programs, `message` for people, `hint` for whoever must fix it. */
export class OnevirtError extends Error {
  override readonly name = "OnevirtError";
  readonly hint: string | undefined;
  readonly libvirt: LibvirtError | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, { cause: details.cause });
    this.hint = details.hint;
    this.libvirt = details.libvirt;
  }
}

/** Whether `error` is ours and has one of the given codes. Decisions are taken by code, never by text. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is OnevirtError {
  return error instanceof OnevirtError && codes.includes(error.code);
}

/** The sentence of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
