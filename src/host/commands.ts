import type { Deadline } from "../core/deadline.ts";
import { OnevirtError, messageOf } from "../core/errors.ts";
import type { CommandResult, Commands, Tracer } from "../core/ports.ts";

/** How much of a program's output is kept. */
const MAX_OUTPUT = 8 * 1024 * 1024;

/** Time that a program has between TERM and KILL. */
const GRACE_MS = 1000;

/** Programs of the host: an argument list, never a shell; no input, no terminal, no BUN_ variables; ended at the deadline. */
export class HostCommands implements Commands {
  constructor(private readonly tracer?: Tracer) {}

  async run(argv: readonly string[], deadline: Deadline): Promise<CommandResult> {
    const start = performance.now();
    const result = await execute(argv, deadline);
    const outcome = result === "late" ? "killed at the deadline" : `exit ${result.exitCode}`;
    this.tracer?.note("process", quoted(argv), performance.now() - start, outcome);
    if (result === "late") throw new OnevirtError("TIMED_OUT", `Cannot run ${quoted(argv)}: it did not end in time`);
    return result;
  }
}

async function execute(argv: readonly string[], deadline: Deadline): Promise<CommandResult | "late"> {
  const child = start(argv);
  const exited = child.exited.then(() => "exited" as const);
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), Math.min(deadline.remainingMs(), 0x7fff_ffff));
  const output = Promise.all([readLimited(child.stdout), readLimited(child.stderr)]);
  try {
    // A grandchild may hold the pipes open after the program has ended: output and end are both bounded.
    const first = await Promise.race([exited.then(() => Promise.race([output, Bun.sleep(GRACE_MS)])).then(() => "exited" as const), late]);
    if (first === "late") return await end(child);
    const [stdout, stderr] = (await Promise.race([output, Promise.resolve(["", ""])])) as readonly [string, string];
    return { exitCode: child.exitCode ?? 128 + 15, stdout, stderr };
  } finally {
    clearTimeout(timer);
  }
}

type Child = Bun.Subprocess<"ignore", "pipe", "pipe">;

function start(argv: readonly string[]): Child {
  try {
    return Bun.spawn({ cmd: [...argv], stdin: "ignore", stdout: "pipe", stderr: "pipe", env: cleanEnvironment(), cwd: "/" });
  } catch (cause) {
    throw new OnevirtError("COMMAND_FAILED", `Cannot run ${quoted(argv)}: ${messageOf(cause)}`, { cause });
  }
}

async function end(child: Child): Promise<"late"> {
  child.kill("SIGTERM");
  const gone = await Promise.race([child.exited.then(() => true), Bun.sleep(GRACE_MS).then(() => false)]);
  if (!gone) child.kill("SIGKILL");
  return "late";
}

async function readLimited(stream: ReadableStream<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    if (size < MAX_OUTPUT) chunks.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** scripts_common.sh's environment: the C locale and the system's programs first. Nothing that would turn our own executable into plain Bun. */
export function cleanEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name, value]) => value !== undefined && !name.startsWith("BUN_")) as [string, string][];
  return { ...Object.fromEntries(kept), LANG: "C", LC_ALL: "C", PATH: `/bin:/sbin:/usr/bin:/usr/sbin:${process.env.PATH ?? ""}` };
}

/** An argument list for messages and logs. */
export function quoted(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(" ");
}
