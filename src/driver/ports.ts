/** A program that runs in a process group of its own. */
export interface Child {
  /** Sends data to its stdin, in order. Never fails: who does not read is found dead by `exited`. */
  write(data: string | Uint8Array): void;
  closeInput(): void;
  /** The exit status (255 when a signal ended it), once it ended and its output was read, or its output is held open by others. */
  readonly exited: Promise<number>;
  /** To the whole process group. */
  signal(name: "SIGTERM" | "SIGKILL"): void;
}

/** What to start, always as a list of arguments. */
export interface Program {
  readonly argv: readonly string[];
  /** All of its stdin; absent, stdin stays open for `write`. */
  readonly input?: Uint8Array;
  readonly onStdout: (chunk: Uint8Array) => void;
  readonly onStderr: (chunk: Uint8Array) => void;
}

/** Processes of the front-end, started by name through PATH in the driver's directory and environment. */
export interface Processes {
  /** COMMAND_FAILED when the program cannot be started. */
  start(program: Program): Child;
}

/** Time that can be called off. */
export interface Timers {
  nowMs(): number;
  /** Runs once, later. The result calls it off. */
  after(ms: number, run: () => void): () => void;
}

/** The front-end's files, as far as the driver looks at them. */
export interface FrontEnd {
  isDirectory(path: string): boolean;
  exists(path: string): boolean;
  isExecutable(path: string): boolean;
  /** Whole content; undefined when the file does not exist or cannot be read. */
  findBytes(path: string): Uint8Array | undefined;
  /** Names in a directory; empty when there is none. */
  names(directory: string): readonly string[];
}

/** The way to oned: whole lines, in order. */
export interface Output {
  line(text: string): void;
}

/** A record for the replay of failures; absent unless asked for. */
export interface Recorder {
  record(event: Readonly<Record<string, unknown>>): void;
}
