import { messageOf } from "../core/errors.ts";
import { showCommand } from "../codec/shell-word.ts";
import { listed } from "./action-list.ts";
import type { Facts } from "./facts.ts";
import type { Journal, Transport } from "./journal.ts";
import { GRACE_SECONDS, LAST_GRACE_SECONDS } from "./limits.ts";
import { startLocal } from "./local-command.ts";
import type { CommandOutcome, RunningCommand } from "./local-command.ts";
import { RemoteSession } from "./remote-session.ts";
import type { Claim } from "./slots.ts";
import { isHostName, shellCommand } from "./ssh.ts";
import { noticing, supervise } from "./supervise.ts";
import type { World } from "./world.ts";

/** One command of a step. */
export interface Command {
  readonly argv: readonly string[];
  readonly input: string | Uint8Array;
  /** "" is the front-end. */
  readonly host: string;
  readonly limitSeconds: number | undefined;
  /** Called when the command takes long. */
  readonly notice: (seconds: number) => void;
}

/** Runs the commands of one action: on the front-end, or on its hosts through one session for each. */
export class CommandRunner {
  readonly #sessions = new Map<string, RemoteSession>();
  readonly #unreachable = new Map<string, RemoteSession>();

  constructor(
    private readonly world: World,
    private readonly facts: Facts,
    private readonly journal: Journal,
    private readonly claim: Claim,
    private readonly signal: AbortSignal,
    private readonly direct: boolean,
  ) {}

  /** The outcome, after its lines went to the log. */
  async run(command: Command): Promise<CommandOutcome> {
    const started = this.world.timers.nowMs();
    const outcome = await this.#attempt(command);
    this.#log(command, outcome);
    this.world.recorder?.record({
      event: "command", id: this.facts.request.id, action: this.facts.request.action, host: command.host || "front-end", command: showCommand(command.argv),
      code: outcome.code, ms: Math.round(this.world.timers.nowMs() - started), stdout: outcome.stdout.slice(0, 1000), stderr: outcome.stderr.slice(0, 4000),
    });
    return outcome;
  }

  close(): void {
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
  }

  #log(command: Command, outcome: CommandOutcome): void {
    const transport: Transport = command.host === "" ? "local" : this.direct ? "direct" : "stream";
    if (!this.signal.aborted) this.journal.command(command.argv, transport, outcome);
  }

  async #attempt(command: Command): Promise<CommandOutcome> {
    if (command.host === "") return this.#local(command);
    if (!isHostName(command.host)) return failed(`Cannot connect to "${command.host.slice(0, 64)}": not a host name`);
    let outcome = await this.#remote(command);
    for (let tries = this.direct ? this.world.settings.options.retries : 0; outcome.isUnreachable && tries > 0 && !this.signal.aborted; tries -= 1) {
      this.#log(command, outcome);
      await this.#pause(1000);
      this.#unreachable.delete(command.host);
      outcome = await this.#remote(command);
    }
    return outcome.isMissing ? this.#afterSync(command) : outcome;
  }

  async #local(command: Command): Promise<CommandOutcome> {
    if (!(await this.#turn())) return failed("Cancelled");
    try {
      return await this.#supervised(startLocal(this.world.processes, command.argv, bytes(command.input)), command);
    } catch (error) {
      return { ...failed(`Internal error ${messageOf(error)}`), isNotStarted: true };
    }
  }

  async #remote(command: Command): Promise<CommandOutcome> {
    const session = await this.#session(command.host, command.limitSeconds);
    if (session === "late") return this.#tookTooLong(command, undefined);
    if (!session) return this.#notReached(command.host);
    if (!(await this.#turn())) return failed("Cancelled");
    return this.#supervised(session.run(command.argv, bytes(command.input)), command);
  }

  /** A place among the actions that work; false when the action was cancelled first. */
  async #turn(): Promise<boolean> {
    const stop = noticing((seconds) => this.journal.queued(`one of the ${this.world.settings.options.threads} places of -t`, seconds), this.world.timers);
    try {
      return await this.claim.hold(this.signal);
    } finally {
      stop();
    }
  }

  /** The script was not there: copy the tree, once, and see (driver-protocol.md 9.7). */
  async #afterSync(command: Command): Promise<CommandOutcome> {
    this.journal.line("I", "Remote worker node files not found");
    this.journal.line("I", "Updating remotes");
    const stop = noticing((seconds) => this.journal.queued(`the copy of the scripts to ${command.host}`, seconds), this.world.timers);
    const problem = await this.world.sync.copyTo(command.host).finally(stop);
    if (problem !== undefined) this.journal.line("W", `Cannot copy all scripts to ${command.host}: ${problem}`);
    if (this.signal.aborted) return failed("Cancelled");
    const outcome = await this.#remote(command);
    if (!outcome.isMissing) return outcome;
    return failed(`Cannot find ${command.argv[0] ?? ""} on ${command.host} as an executable file${problem === undefined ? "" : `: ${problem}`}`);
  }

  async #supervised(running: RunningCommand, command: Command): Promise<CommandOutcome> {
    const notice = (seconds: number): void => {
      command.notice(seconds);
      this.claim.lend();
    };
    const graceSeconds = (): number => (this.world.ending.aborted ? LAST_GRACE_SECONDS : GRACE_SECONDS);
    const ended = await supervise(running, { limitSeconds: command.limitSeconds, signal: this.signal, graceSeconds, notice }, this.world.timers);
    if (ended.why === "finished") return ended.outcome;
    return ended.why === "limit" ? this.#tookTooLong(command, ended.outcome) : failed("Cancelled");
  }

  /** Upstream's words for it, which operators search for (driver-protocol.md 9.6). */
  #tookTooLong(command: Command, outcome: CommandOutcome | undefined): CommandOutcome {
    if (command.host === "" || this.direct) return failed(`Timeout executing ${showCommand(command.argv)}`);
    const said = outcome?.stderr ? `${outcome.stderr.trimEnd()}\n` : "";
    return { code: -1, stdout: "", stderr: `${said}Timeout Error` };
  }

  /**
   * A session that answers; "late" when the limit of the step was over first (`-w`). One that was lost is opened again for the next
   * step; a host that never answered is not asked twice.
   */
  async #session(host: string, limitSeconds: number | undefined): Promise<RemoteSession | "late" | undefined> {
    const known = this.#sessions.get(host);
    if (known?.isUsable) return known;
    if (this.#unreachable.has(host) || this.signal.aborted) return undefined;
    this.claim.lend();
    const session = this.#open(host);
    const ready = await this.#ready(session, limitSeconds);
    if (ready === true) return session;
    session.abort();
    this.#sessions.delete(host);
    this.#unreachable.set(host, session);
    return ready === "late" ? "late" : undefined;
  }

  async #ready(session: RemoteSession, limitSeconds: number | undefined): Promise<boolean | "late"> {
    const late = Promise.withResolvers<"late">();
    const stopLimit = limitSeconds === undefined ? undefined : this.world.timers.after(Math.min(limitSeconds, 3600) * 1000, () => late.resolve("late"));
    const stopAbort = abortWith(this.signal, session);
    const ready = await Promise.race([session.ready, late.promise]);
    stopLimit?.();
    stopAbort();
    return ready;
  }

  #open(host: string): RemoteSession {
    const { options, connectSeconds } = this.world.settings;
    // The step list decides the shell: `-s` and `-d` are for the stream only (driver-protocol.md 9.5).
    const argv = this.direct
      ? shellCommand(host, "sh", false, connectSeconds)
      : shellCommand(host, options.shell, listed(options.delegate, this.facts.request.action), connectSeconds);
    const session = new RemoteSession(this.world.processes, this.world.timers, { argv, host, token: this.world.token(), connectSeconds });
    this.#sessions.set(host, session);
    return session;
  }

  #notReached(host: string): CommandOutcome {
    const outcome = this.#unreachable.get(host)?.unreachable() ?? failed("Cancelled");
    return this.direct ? outcome : { ...outcome, code: -1, stderr: `${outcome.stderr.trimEnd()}\nError connecting to ${host}` };
  }

  async #pause(ms: number): Promise<void> {
    const over = Promise.withResolvers<void>();
    const stop = this.world.timers.after(ms, () => over.resolve());
    this.signal.addEventListener("abort", () => over.resolve(), { once: true });
    await over.promise;
    stop();
  }
}

function abortWith(signal: AbortSignal, session: RemoteSession): () => void {
  const abort = (): void => session.abort();
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  return () => signal.removeEventListener("abort", abort);
}

function failed(stderr: string): CommandOutcome {
  return { code: 255, stdout: "", stderr };
}

function bytes(input: string | Uint8Array): Uint8Array {
  return typeof input === "string" ? Buffer.from(input, "utf8") : input;
}
