import { errorText } from "../codec/script-output.ts";
import { quoteWord } from "../codec/shell-word.ts";
import { LAST_GRACE_SECONDS } from "./limits.ts";
import { startLocal } from "./local-command.ts";
import type { CommandOutcome } from "./local-command.ts";
import type { FrontEnd, Processes, Timers } from "./ports.ts";
import type { DriverSettings } from "./settings.ts";
import { copyCommand, makeDirectoryCommand } from "./ssh.ts";
import { supervise } from "./supervise.ts";

const LIMIT_SECONDS = 1800;

/** Copies the scripts to hosts that lack them: one copy for a host at a time, shared by all who wait for it, and its result is known (driver-protocol.md 9.7, 18.12). */
export class RemotesSync {
  readonly #running = new Map<string, Promise<string | undefined>>();

  constructor(
    private readonly settings: DriverSettings,
    private readonly processes: Processes,
    private readonly frontEnd: FrontEnd,
    private readonly timers: Timers,
    private readonly signal: AbortSignal,
  ) {}

  /** The reason when something could not be copied. */
  copyTo(host: string): Promise<string | undefined> {
    const running = this.#running.get(host) ?? this.#copy(host).finally(() => this.#running.delete(host));
    this.#running.set(host, running);
    return running;
  }

  async #copy(host: string): Promise<string | undefined> {
    const { remoteDirectory, places, connectSeconds } = this.settings;
    // Like `remotes/*` of a shell: sorted, without dot files. A host's own tree keeps what the front-end does not have.
    const names = this.frontEnd.names(places.remotes).filter((name) => !name.startsWith(".")).toSorted();
    if (names.length === 0) return `${places.remotes} is empty`;
    const made = await this.#run(makeDirectoryCommand(host, quoted(remoteDirectory), connectSeconds));
    if (made !== undefined) return made;
    return this.#run(copyCommand(names.map((name) => `${places.remotes}/${name}`), host, remoteDirectory, connectSeconds));
  }

  async #run(argv: readonly string[]): Promise<string | undefined> {
    const running = startLocal(this.processes, argv, new Uint8Array());
    const ended = await supervise(running, { limitSeconds: LIMIT_SECONDS, signal: this.signal, graceSeconds: () => LAST_GRACE_SECONDS, notice: () => undefined }, this.timers);
    if (ended.why !== "finished") return `${argv[0] ?? ""} was ended`;
    return failureOf(argv, ended.outcome);
  }
}

function failureOf(argv: readonly string[], { code, stderr }: CommandOutcome): string | undefined {
  return code === 0 ? undefined : `${argv[0] ?? ""} ended with status ${code}: ${errorText(stderr).slice(-500)}`;
}

/** The remote shell reads this word; the usual path needs no quotes and stays readable in the process list. */
function quoted(directory: string): string {
  return /^[\w./-]+$/.test(directory) ? directory : quoteWord(directory);
}
