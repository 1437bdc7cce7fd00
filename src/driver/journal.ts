import { logLine } from "../codec/oned-line.ts";
import type { LogLetter } from "../codec/oned-line.ts";
import { errorText, loggedLines } from "../codec/script-output.ts";
import { showCommand } from "../codec/shell-word.ts";
import type { CommandOutcome } from "./local-command.ts";
import type { Output } from "./ports.ts";

/** The way a command went: it decides the words of its log lines (driver-protocol.md 4). */
export type Transport = "stream" | "direct" | "local";

/** Lines of one command that go to the log; what is beyond them is counted. */
const MOST_LINES = 500;

const DRIVER_NAMES = { vmm: "virtualization driver", vnm: "network driver", tm: "transfer manager driver", ds: "datastore driver" } as const;

/** The log of one VM at oned. A cancelled action says nothing more: oned has already decided its outcome. */
export class Journal {
  #silent = false;

  constructor(private readonly output: Output, readonly id: string) {}

  silence(): void {
    this.#silent = true;
  }

  line(letter: LogLetter, text: string): void {
    if (!this.#silent) this.output.line(logLine(letter, this.id, text));
  }

  step(driver: keyof typeof DRIVER_NAMES, name: string, success: boolean): void {
    this.line("I", `${success ? "Successfully execute" : "Failed to execute"} ${DRIVER_NAMES[driver]} operation: ${name}.`);
  }

  waiting(driver: keyof typeof DRIVER_NAMES, name: string, place: string, seconds: number): void {
    this.line("I", `Waiting for ${DRIVER_NAMES[driver]} operation: ${name} on ${place}, ${seconds} s so far`);
  }

  /** It is its turn that is waited for. */
  queued(forWhat: string, seconds: number): void {
    this.line("I", `Waiting for ${forWhat}, ${seconds} s so far`);
  }

  /** What a command said on stderr. Without a failure only the stream shows plain words, as upstream does. */
  command(argv: readonly string[], transport: Transport, outcome: CommandOutcome): void {
    if (outcome.code !== 0 && !outcome.isNotStarted) this.line("I", `Command execution ${transport === "stream" ? "fail" : "failed"} (exit code: ${outcome.code}): ${showCommand(argv)}`);
    const lines = loggedLines(outcome.stderr).filter(({ marked }) => marked || transport === "stream" || outcome.code !== 0);
    for (const { letter, text } of lines.slice(0, MOST_LINES)) this.line(letter, text);
    if (lines.length > MOST_LINES) this.line("I", `… ${lines.length - MOST_LINES} more lines left out`);
  }
}

/** Longest text of a result: oned keeps it in the VM's document. */
const MOST_CHARACTERS = 64 * 1024;

/** What a command answers: stdout of a success, the words of a failure; "-" for nothing (driver-protocol.md 10). */
export function answerOf(outcome: CommandOutcome): string {
  const text = (outcome.code === 0 ? outcome.stdout.trim() : errorText(outcome.stderr)) || "-";
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)} … ${text.length - MOST_CHARACTERS} characters left out`;
}
