import { CapturedOutput } from "./captured-output.ts";
import type { Processes } from "./ports.ts";

/** How a command ended. */
export interface CommandOutcome {
  /** Exit status; 255 when a signal ended it or it could not start, -1 when the connection to its host was lost. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The script is not there, or not executable, on the host. */
  readonly isMissing?: true;
  /** The program could not be started at all. */
  readonly isNotStarted?: true;
  /** ssh never reached a shell on the host. */
  readonly isUnreachable?: true;
}

/** A command that runs somewhere and can be ended there. */
export interface RunningCommand {
  readonly finished: Promise<CommandOutcome>;
  /** TERM, then KILL, to its process group, wherever that is. */
  terminate(): void;
  kill(): void;
  /** Once the command itself has ended by a signal: what is left of its group. */
  sweep(): void;
  /** Gives up what is left of it on the front-end. */
  abandon(): void;
}

/** Runs a program of the front-end with all of its stdin given. */
export function startLocal(processes: Processes, argv: readonly string[], input: Uint8Array): RunningCommand {
  const stdout = new CapturedOutput();
  const stderr = new CapturedOutput();
  const child = processes.start({ argv, input, onStdout: (chunk) => stdout.push(chunk), onStderr: (chunk) => stderr.push(chunk) });
  return {
    finished: child.exited.then((code) => ({ code, stdout: stdout.text(), stderr: stderr.text() })),
    terminate: () => child.signal("SIGTERM"),
    kill: () => child.signal("SIGKILL"),
    sweep: () => child.signal("SIGKILL"),
    abandon: () => child.signal("SIGKILL"),
  };
}
