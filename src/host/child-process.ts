import { OnevirtError } from "../core/errors.ts";

/** How long output is waited for after a program ended, when a process that it left behind holds it open. */
const OUTPUT_AFTER_EXIT_MS = 500;

interface Program {
  readonly argv: readonly string[];
  readonly input?: Uint8Array;
  readonly onStdout: (chunk: Uint8Array) => void;
  readonly onStderr: (chunk: Uint8Array) => void;
}

/** Programs in process groups of their own, all in one directory and environment. */
export class ChildProcesses {
  readonly #environment: Record<string, string>;

  constructor(private readonly directory: string, environment: Readonly<Record<string, string>>) {
    this.#environment = Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("BUN_")));
  }

  /** COMMAND_FAILED, in the words of the C library, when it cannot be started. */
  start(program: Program): ChildProcess {
    try {
      const { input } = program;
      const stdin = input === undefined ? "pipe" : input.length === 0 ? "ignore" : new Blob([input]);
      const child = Bun.spawn([...program.argv], { cwd: this.directory, env: this.#environment, detached: true, stdin, stdout: "pipe", stderr: "pipe" });
      return new ChildProcess(child, program);
    } catch (cause) {
      throw new OnevirtError("COMMAND_FAILED", startFailure(program.argv[0] ?? "", cause), { cause });
    }
  }
}

type Spawned = Bun.Subprocess<"pipe" | "ignore" | Blob, "pipe", "pipe">;

/** One running program. */
export class ChildProcess {
  /** Exit status, 255 after a signal; settles when its output is read too. */
  readonly exited: Promise<number>;

  constructor(private readonly child: Spawned, program: Program) {
    const readers = [new OutputReader(child.stdout, program.onStdout), new OutputReader(child.stderr, program.onStderr)];
    this.exited = this.#end(readers);
  }

  write(data: string | Uint8Array): void {
    this.#quietly((stdin) => {
      void Promise.resolve(stdin.write(data)).catch(ignore);
      void Promise.resolve(stdin.flush()).catch(ignore);
    });
  }

  closeInput(): void {
    this.#quietly((stdin) => void Promise.resolve(stdin.end()).catch(ignore));
  }

  /** To the whole process group; a group that is gone is what was wanted. */
  signal(name: "SIGTERM" | "SIGKILL"): void {
    try {
      process.kill(-this.child.pid, name);
    } catch {
      // gone
    }
  }

  async #end(readers: readonly OutputReader[]): Promise<number> {
    await this.child.exited;
    this.closeInput();
    const all = Promise.all(readers.map((reader) => reader.ended));
    const timer = setTimeout(() => readers.forEach((reader) => reader.cancel()), OUTPUT_AFTER_EXIT_MS);
    await all;
    clearTimeout(timer);
    return this.child.signalCode === null ? (this.child.exitCode ?? 255) : 255;
  }

  /** Who closed its stdin, or died, is found by `exited`, not by a failing write. */
  #quietly(act: (stdin: Bun.FileSink) => void): void {
    const { stdin } = this.child;
    if (!stdin || typeof stdin === "number") return;
    try {
      act(stdin);
    } catch {
      // closed
    }
  }
}

/** As much of a stream's reader as is used: the two declarations of it in the runtime's types differ. */
interface ByteReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

class OutputReader {
  readonly ended: Promise<void>;
  readonly #reader: ByteReader;

  constructor(stream: ReadableStream<Uint8Array>, private readonly onChunk: (chunk: Uint8Array) => void) {
    this.#reader = stream.getReader();
    this.ended = this.#read().catch(ignore);
  }

  cancel(): void {
    void this.#reader.cancel().catch(ignore);
  }

  async #read(): Promise<void> {
    for (;;) {
      const { value, done } = await this.#reader.read();
      if (done || !value) return;
      this.onChunk(value);
    }
  }
}

const REASONS: Readonly<Record<string, string>> = { ENOENT: "No such file or directory", EACCES: "Permission denied", E2BIG: "Argument list too long", ENOEXEC: "Exec format error" };

function startFailure(program: string, cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return `${REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause))} - ${program}`;
}

function ignore(): void {
  // The other side is gone: its exit tells.
}
