import type { Context } from "../core/ports.ts";
import type { VariableName } from "../core/settings.ts";

/** One positional argument. oned always passes strings; an argument may be present and empty (actions.md 1.4). */
export interface ActionArgument {
  readonly name: string;
  readonly about: string;
  readonly optional?: true;
  /** An empty string is a missing argument unless this is set. */
  readonly mayBeEmpty?: true;
}

/** Arguments by the names of the table row, and the text of stdin where the row asks for it. */
export interface ActionInput {
  readonly arguments: Readonly<Record<string, string>>;
  readonly stdin: string;
}

/** An action decides through ports only and returns what belongs on stdout: one line, or "" for nothing. */
export type ActionRun = (input: ActionInput, context: Context) => Promise<string>;

/** One row: everything that scripts, help, documentation and tests need to know of an action. */
export interface Action {
  readonly summary: string;
  /** Path of the launcher in the remotes tree. */
  readonly script: `vmm/kvm/${string}`;
  readonly arguments: readonly ActionArgument[];
  /** "domain": a libvirt document, "message": the driver message, each as XML or base64. "none": stdin is left unread, whatever oned sends. */
  readonly stdin: "none" | "domain" | "message";
  readonly stdout: "none" | "deploy-id" | "poll" | "snapshot-name";
  /** Variables of kvmrc that the action reads. */
  readonly settings: readonly VariableName[];
  /** Seconds until the whole action ends by itself; null: no limit unless the administrator sets LIMIT_<ACTION>. */
  readonly limitSeconds: number | null;
  /** A setting in seconds that comes on top of the limit. */
  readonly limitAdds?: "SHUTDOWN_TIMEOUT";
  /** Makes calls that last as long as the VM is large, in a thread of their own that is got ready ahead too. Their outcome can be seen when the agent that lent it ends meanwhile. */
  readonly longCalls?: true;
  /** How many other hosts' libvirt it talks to, with 2 to none on its own; those threads are started ahead, and never lent. */
  readonly elsewhere?: 1 | 2;
  /** Only looks: a read-only connection, and no lock. */
  readonly readOnly?: true;
  /** How a failure starts in oned's log, with upstream's words; `{1}` is the first argument, and so on. */
  readonly failure: string;
  readonly load: () => Promise<{ readonly run: ActionRun }>;
}
