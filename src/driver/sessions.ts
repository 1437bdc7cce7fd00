import { listed } from "./action-list.ts";
import type { CommandOutcome } from "./local-command.ts";
import { RemoteSession } from "./remote-session.ts";
import { shellCommand } from "./ssh.ts";
import type { World } from "./world.ts";

/** Whose sessions these are. */
export interface SessionOwner {
  readonly action: string;
  /** One script through an ssh of its own: `-s` and `-d` are not for it (driver-protocol.md 9.5). */
  readonly direct: boolean;
  readonly signal: AbortSignal;
}

/** The sessions of one action: one for each of its hosts, opened when first needed, closed together at its end. */
export class Sessions {
  readonly #open = new Map<string, RemoteSession>();
  readonly #unreachable = new Map<string, RemoteSession>();

  constructor(
    private readonly world: World,
    private readonly owner: SessionOwner,
  ) {}

  /** The session of a host, when it is ready for a step; no connecting is needed then. */
  ready(host: string): RemoteSession | undefined {
    const known = this.#open.get(host);
    return known?.isUsable ? known : undefined;
  }

  /**
   * A session that answers; "late" when the limit of the step was over first (`-w`). One that was lost is opened again for the next
   * step; a host that never answered is not asked twice.
   */
  async connect(host: string, limitSeconds: number | undefined): Promise<RemoteSession | "late" | undefined> {
    const known = this.ready(host);
    if (known) return known;
    if (this.#unreachable.has(host) || this.owner.signal.aborted) return undefined;
    const kept = this.owner.direct ? this.world.shelf.take(host) : undefined;
    if (kept) {
      this.#open.set(host, kept);
      return kept;
    }
    const session = this.#start(host);
    const answered = await this.#answers(session, limitSeconds);
    if (answered === true) return session;
    session.abort();
    this.#open.delete(host);
    this.#unreachable.set(host, session);
    return answered === "late" ? "late" : undefined;
  }

  /** Lets a host that did not answer be asked again. */
  forgive(host: string): void {
    this.#unreachable.delete(host);
  }

  /** What a step is told of a host that did not answer. */
  notReached(host: string): CommandOutcome {
    const outcome = this.#unreachable.get(host)?.unreachable() ?? { code: 255, stdout: "", stderr: "Cancelled" };
    return this.owner.direct ? outcome : { ...outcome, code: -1, stderr: `${outcome.stderr.trimEnd()}\nError connecting to ${host}` };
  }

  close(): void {
    for (const session of this.#open.values()) if (!this.owner.direct || !this.world.shelf.offer(session)) session.close();
    this.#open.clear();
  }

  #start(host: string): RemoteSession {
    const { options, connectSeconds } = this.world.settings;
    const { direct, action } = this.owner;
    const argv = shellCommand(host, direct ? "sh" : options.shell, !direct && listed(options.delegate, action), connectSeconds);
    const session = new RemoteSession(this.world.processes, this.world.timers, { argv, host, token: this.world.token(), connectSeconds });
    this.#open.set(host, session);
    return session;
  }

  async #answers(session: RemoteSession, limitSeconds: number | undefined): Promise<boolean | "late"> {
    const late = Promise.withResolvers<"late">();
    const stopLimit = limitSeconds === undefined ? undefined : this.world.timers.after(Math.min(limitSeconds, 3600) * 1000, () => late.resolve("late"));
    const stopAbort = abortWith(this.owner.signal, session);
    const ready = await Promise.race([session.ready, late.promise]);
    stopLimit?.();
    stopAbort();
    return ready;
  }
}

function abortWith(signal: AbortSignal, session: RemoteSession): () => void {
  const abort = (): void => session.abort();
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  return () => signal.removeEventListener("abort", abort);
}
