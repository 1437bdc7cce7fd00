import { KILL_ORDER, MarkerReader, QUIT_ORDER, STOP_ORDER, remoteProgram, runOrder } from "../codec/remote-shell.ts";
import { CapturedOutput } from "./captured-output.ts";
import { GRACE_SECONDS, LINGER_SECONDS, SHELL_SECONDS } from "./limits.ts";
import type { CommandOutcome, RunningCommand } from "./local-command.ts";
import type { Child, Processes, Timers } from "./ports.ts";

/** How a session begins. */
export interface SessionRequest {
  readonly argv: readonly string[];
  readonly host: string;
  readonly token: string;
  readonly connectSeconds: number;
}

type State = "connecting" | "ready" | "lost";

/** What one step leaves until both outputs have shown its end. */
interface Turn {
  readonly stdout: CapturedOutput;
  readonly stderr: CapturedOutput;
  readonly finish: (outcome: CommandOutcome) => void;
  begun: { stdout: boolean; stderr: boolean };
  code: number | "missing" | undefined;
  stdoutEnded: boolean;
}

/** A shell on a host, over one ssh, that runs the steps of one action one after the other (driver-protocol.md 9.4). */
export class RemoteSession {
  readonly host: string;
  /** True once the host's shell answers, false when it never will. */
  readonly ready: Promise<boolean>;
  readonly #child: Child;
  readonly #out: MarkerReader;
  readonly #err: MarkerReader;
  /** What ssh and the login shell say outside of steps. */
  #noise = new CapturedOutput();
  #state: State = "connecting";
  #turn: Turn | undefined;
  #settleReady: (ready: boolean) => void = () => undefined;
  #stopConnectTimer: () => void;
  #lostBecause = "";

  constructor(processes: Processes, private readonly timers: Timers, private readonly request: SessionRequest) {
    this.host = request.host;
    this.ready = new Promise((resolve) => (this.#settleReady = resolve));
    this.#out = new MarkerReader(request.token, { data: (chunk) => this.#onData("stdout", chunk), marker: (words) => this.#onStdoutMarker(words) });
    this.#err = new MarkerReader(request.token, { data: (chunk) => this.#onData("stderr", chunk), marker: (words) => this.#onStderrMarker(words) });
    this.#child = processes.start({ argv: request.argv, onStdout: (chunk) => this.#out.push(chunk), onStderr: (chunk) => this.#err.push(chunk) });
    this.#stopConnectTimer = timers.after((request.connectSeconds + SHELL_SECONDS) * 1000, () => this.#connectTooLong());
    void this.#child.exited.then((code) => this.#onExit(code));
    this.#child.write(remoteProgram(request.token));
  }

  /** Whether more steps can run here. */
  get isUsable(): boolean {
    return this.#state !== "lost";
  }

  /** Whether it answered, and nothing runs in it. */
  get isIdle(): boolean {
    return this.#state === "ready" && !this.#turn;
  }

  /** Runs one step. Only one at a time, and only once `ready`. */
  run(argv: readonly string[], input: Uint8Array): RunningCommand {
    const { promise, resolve } = Promise.withResolvers<CommandOutcome>();
    this.#turn = { stdout: new CapturedOutput(), stderr: new CapturedOutput(), finish: resolve, begun: { stdout: false, stderr: false }, code: undefined, stdoutEnded: false };
    if (this.#state === "lost") this.#finishLost();
    else this.#child.write(runOrder(argv, input));
    return { finished: promise, terminate: () => this.#child.write(STOP_ORDER), kill: () => this.#child.write(KILL_ORDER), sweep: () => undefined, abandon: () => this.#abandon() };
  }

  /** What a step would be told of a host that never answered. */
  unreachable(): CommandOutcome {
    return { code: 255, stdout: "", stderr: this.#noise.text() + this.#lostBecause, isUnreachable: true };
  }

  /** Ends the session when its work is done; nobody waits for ssh. A shared connection may keep its ssh alive as long as others use it. */
  close(): void {
    this.#stopConnectTimer();
    if (this.#state === "connecting") return this.#abandon();
    this.#child.write(QUIT_ORDER);
    this.#child.closeInput();
    const stop = this.timers.after(LINGER_SECONDS * 1000, () => this.#child.signal("SIGTERM"));
    void this.#child.exited.then(stop);
  }

  /** Ends it whatever it does: the host sees the end of its input and ends its step by itself; then the local ssh is ended. */
  abort(): void {
    if (this.#state === "connecting" || !this.#turn) return this.#abandon();
    this.#child.closeInput();
    const stop = this.timers.after((GRACE_SECONDS + 2) * 1000, () => this.#child.signal("SIGKILL"));
    void this.#child.exited.then(stop);
  }

  #abandon(): void {
    this.#lost("");
    this.#child.closeInput();
    this.#child.signal("SIGTERM");
    const stop = this.timers.after(1000, () => this.#child.signal("SIGKILL"));
    void this.#child.exited.then(stop);
  }

  #onData(stream: "stdout" | "stderr", chunk: Uint8Array): void {
    const turn = this.#turn;
    if (turn?.begun[stream]) turn[stream].push(chunk);
    else if (stream === "stderr") this.#noise.push(chunk);
  }

  #onStdoutMarker(words: string): void {
    const turn = this.#turn;
    if (words === "ready") this.#onReady();
    else if (turn && words === "begin") turn.begun.stdout = true;
    else if (turn && words === "end") this.#onEnd(turn, () => (turn.stdoutEnded = true), "stdout");
  }

  #onStderrMarker(words: string): void {
    const turn = this.#turn;
    if (turn && words === "begin") turn.begun.stderr = true;
    else if (turn && words === "missing") this.#onEnd(turn, () => (turn.code = "missing"), "stderr");
    else if (turn && words.startsWith("end ")) this.#onEnd(turn, () => (turn.code = Number(words.slice(4))), "stderr");
  }

  #onReady(): void {
    if (this.#state !== "connecting") return;
    this.#state = "ready";
    this.#stopConnectTimer();
    this.#noise = new CapturedOutput();
    this.#settleReady(true);
  }

  /** Late output of a step's background processes belongs to nobody: it is dropped until the next step begins. */
  #onEnd(turn: Turn, note: () => void, stream: "stdout" | "stderr"): void {
    note();
    turn.begun[stream] = false;
    if (turn.code === undefined || !turn.stdoutEnded) return;
    this.#turn = undefined;
    const isMissing = turn.code === "missing";
    turn.finish({ code: isMissing ? 42 : Number(turn.code), stdout: turn.stdout.text(), stderr: turn.stderr.text(), ...(isMissing ? { isMissing } : {}) });
  }

  #onExit(code: number): void {
    this.#out.end();
    this.#err.end();
    const silent = this.#state === "connecting" && this.#noise.text().trim() === "";
    this.#lost(silent ? `Cannot open a shell on ${this.host}: ssh ended with status ${code}\n` : "");
  }

  #connectTooLong(): void {
    this.#lost(`Cannot open a shell on ${this.host}: no answer within ${this.request.connectSeconds + SHELL_SECONDS} s\n`);
    this.#abandon();
  }

  #lost(because: string): void {
    if (this.#state === "lost") return;
    this.#state = "lost";
    this.#lostBecause = because;
    this.#stopConnectTimer();
    this.#settleReady(false);
    this.#finishLost();
  }

  #finishLost(): void {
    const turn = this.#turn;
    if (!turn) return;
    this.#turn = undefined;
    const said = [turn.stderr.text(), this.#noise.text(), this.#lostBecause].map((text) => text.trimEnd()).filter((text) => text !== "");
    turn.finish({ code: -1, stdout: turn.stdout.text(), stderr: [...said, `Error connecting to ${this.host}`].join("\n") });
  }
}
