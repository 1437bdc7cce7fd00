import { constants } from "node:os";
import type { Deadline } from "../core/deadline.ts";
import { OnevirtError, messageOf } from "../core/errors.ts";
import type { CommandResult, Commands, Tracer } from "../core/ports.ts";

/** How much of a program's output is kept. */
const MAX_OUTPUT = 8 * 1024 * 1024;

/** Time that a program has between TERM and KILL. */
const GRACE_MS = 1000;

/** Programs of the host: an argument list, never a shell; no input unless it is given, no terminal, nothing that is meant for our executable; ended at the deadline. */
export class HostCommands implements Commands {
  constructor(private readonly tracer?: Tracer) {}

  async run(argv: readonly string[], deadline: Deadline, { stdin }: { readonly stdin?: string } = {}): Promise<CommandResult> {
    const start = performance.now();
    const result = await execute(argv, deadline, stdin);
    const outcome = result === "late" ? "killed at the deadline" : `exit ${result.exitCode}`;
    this.tracer?.note("process", quoted(argv), performance.now() - start, outcome);
    if (result === "late") throw new OnevirtError("TIMED_OUT", `Cannot run ${quoted(argv)}: it did not end in time`);
    return result;
  }
}

async function execute(argv: readonly string[], deadline: Deadline, stdin: string | undefined): Promise<CommandResult | "late"> {
  if (deadline.expired) return "late";
  const child = start(argv, stdin);
  const [stdout, stderr] = [capture(child.stdout), capture(child.stderr)];
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), Math.min(deadline.remainingMs(), 0x7fff_ffff));
  try {
    const first = await Promise.race([child.exited, late]);
    if (first === "late") return await end(child);
    // A grandchild may hold the pipes open after the program has ended: what was said until then counts.
    await Promise.race([Promise.all([stdout.closed, stderr.closed]), Bun.sleep(GRACE_MS)]);
    return { exitCode: exitCodeOf(child), stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    clearTimeout(timer);
    for (const each of [stdout, stderr]) each.stop();
  }
}

type Child = Bun.Subprocess<"ignore" | Uint8Array, "pipe", "pipe">;

function start(argv: readonly string[], stdin: string | undefined): Child {
  try {
    return Bun.spawn({ cmd: [...argv], stdin: stdin === undefined ? "ignore" : Buffer.from(stdin), stdout: "pipe", stderr: "pipe", env: cleanEnvironment(), cwd: "/" });
  } catch (cause) {
    throw new OnevirtError("COMMAND_FAILED", `Cannot run ${quoted(argv)}: ${messageOf(cause)}`, { cause });
  }
}

async function end(child: Child): Promise<"late"> {
  signal(child, "SIGTERM");
  const gone = await Promise.race([child.exited.then(() => true), Bun.sleep(GRACE_MS).then(() => false)]);
  if (!gone) signal(child, "SIGKILL");
  return "late";
}

/** What sudo started belongs to root, and may not be ours to end: then it is left behind. */
function signal(child: Child, name: "SIGTERM" | "SIGKILL"): void {
  try {
    child.kill(name);
  } catch {
    return;
  }
}

/** As a shell counts: 128 and the number of the signal that ended the program. */
function exitCodeOf({ exitCode, signalCode }: Child): number {
  return exitCode ?? 128 + (typeof signalCode === "string" ? constants.signals[signalCode] : (signalCode ?? 0));
}

export interface Captured {
  readonly closed: Promise<void>;
  /** What has come so far. */
  text(): string;
  /** Closes our end, which is open as long as anybody holds the other one: what a program leaves behind would cost a descriptor each time. */
  stop(): void;
}

/** Reads a stream to its end, so that nobody has to wait for us, and keeps the beginning. */
export function capture(stream: ReadableStream<Uint8Array>): Captured {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = stream.getReader();
  const read = async () => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (size < MAX_OUTPUT) chunks.push(next.value.subarray(0, MAX_OUTPUT - size));
      size += next.value.length;
    }
  };
  return { closed: read(), text: () => Buffer.concat(chunks).toString("utf8"), stop: () => void reader.cancel().catch(() => undefined) };
}

/** scripts_common.sh's environment: the C locale and the system's programs first. Nothing that is meant for our own executable: BUN_ could make plain Bun of it, MIMALLOC_ comes from the launcher. */
export function cleanEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name, value]) => value !== undefined && !/^(BUN|MIMALLOC)_/.test(name)) as [string, string][];
  return { ...Object.fromEntries(kept), LANG: "C", LC_ALL: "C", PATH: `/bin:/sbin:/usr/bin:/usr/sbin:${process.env.PATH ?? ""}` };
}

/** An argument list for messages and logs. */
export function quoted(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(" ");
}
