/** What happened, or would happen, to one file. */
export type Done =
  | "added"
  | "replaced" // upstream's file is kept
  | "renewed" // ours, by a newer one of ours or with the right owner and mode
  | "restored"
  | "removed"
  | "left: you edited it"
  | "left: OpenNebula upgraded it"
  | "left: it is not empty";

/** One line of the account that install and uninstall give. */
export interface Change {
  readonly path: string;
  readonly done: Done;
  /** Where the changed version was kept. */
  readonly kept?: string | undefined;
}

/** The account of one run. */
export interface Outcome {
  readonly changes: readonly Change[];
  /** Nothing in the tree changed, or would change. */
  readonly unchanged: boolean;
}

/** An account; lines that only tell what was left do not count as a change. */
export function outcomeOf(changes: readonly Change[]): Outcome {
  return { changes, unchanged: changes.every(({ done }) => done.startsWith("left")) };
}
