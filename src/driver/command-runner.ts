import { messageOf } from "../core/errors.ts";
import { showCommand } from "../codec/shell-word.ts";
import type { Facts } from "./facts.ts";
import type { Journal, Transport } from "./journal.ts";
import { GRACE_SECONDS, LAST_GRACE_SECONDS } from "./limits.ts";
import { startLocal } from "./local-command.ts";
import type { CommandOutcome, RunningCommand } from "./local-command.ts";
import { Sessions } from "./sessions.ts";
import type { Claim } from "./slots.ts";
import { isHostName } from "./ssh.ts";
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
  readonly #sessions: Sessions;

  constructor(
    private readonly world: World,
    private readonly facts: Facts,
    private readonly journal: Journal,
    private readonly claim: Claim,
    private readonly signal: AbortSignal,
    private readonly direct: boolean,
  ) {
    this.#sessions = new Sessions(world, { action: facts.request.action, direct, signal });
  }

  /** The outcome, after its lines went to the log. */
  async run(command: Command): Promise<CommandOutcome> {
    const started = this.world.timers.nowMs();
    const outcome = await this.#attempt(command);
    this.#log(command, outcome);
    this.#record(command, outcome, this.world.timers.nowMs() - started);
    return outcome;
  }

  close(): void {
    this.#sessions.close();
  }

  #log(command: Command, outcome: CommandOutcome): void {
    const transport: Transport = command.host === "" ? "local" : this.direct ? "direct" : "stream";
    if (!this.signal.aborted) this.journal.command(command.argv, transport, outcome);
  }

  #record({ argv, host }: Command, outcome: CommandOutcome, ms: number): void {
    const { action, id } = this.facts.request;
    // What a guest's command reads is its owner's secret, and the last word of the call.
    const shown = action === "EXEC" ? [...argv.slice(0, -1), "***"] : argv;
    this.world.recorder?.record({
      event: "command", id, action, host: host || "front-end", command: showCommand(shown), code: outcome.code, ms: Math.round(ms),
      stdout: outcome.stdout.slice(0, 1000), stderr: outcome.stderr.slice(0, 4000),
    });
  }

  async #attempt(command: Command): Promise<CommandOutcome> {
    if (command.host === "") return this.#local(command);
    if (!isHostName(command.host)) return failed(`Cannot connect to "${command.host.slice(0, 64)}": not a host name`);
    let outcome = await this.#remote(command);
    for (let tries = this.direct ? this.world.settings.options.retries : 0; outcome.isUnreachable && tries > 0 && !this.signal.aborted; tries -= 1) {
      this.#log(command, outcome);
      await this.#pause(1000);
      this.#sessions.forgive(command.host);
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
    // Connecting takes no place from those that work (driver-protocol.md 18.4).
    if (!this.#sessions.ready(command.host)) this.claim.lend();
    const session = await this.#sessions.connect(command.host, command.limitSeconds);
    if (session === "late") return this.#tookTooLong(command, undefined);
    if (!session) return this.#sessions.notReached(command.host);
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

  async #pause(ms: number): Promise<void> {
    const over = Promise.withResolvers<void>();
    const stop = this.world.timers.after(ms, () => over.resolve());
    this.signal.addEventListener("abort", () => over.resolve(), { once: true });
    await over.promise;
    stop();
  }
}

function failed(stderr: string): CommandOutcome {
  return { code: 255, stdout: "", stderr };
}

function bytes(input: string | Uint8Array): Uint8Array {
  return typeof input === "string" ? Buffer.from(input, "utf8") : input;
}
