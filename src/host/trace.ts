import { messageOf } from "../core/errors.ts";
import type { TraceKind, Tracer } from "../core/ports.ts";

/** The tracer for a value of ONEVIRT_TRACE: a file to append to, "-" for stderr; undefined, and nothing is paid, when it is not set. */
export function openTracer(target: string | undefined): Tracer | undefined {
  if (!target) return undefined;
  return new LineTracer(target === "-" ? (line) => console.error(line) : appender(target));
}

/**
 * Loads the file functions only now: without a trace the libvirt thread needs none. What is traced has happened already, so a file
 * that cannot be written must not make a failure of it; it is told once.
 */
function appender(path: string): (line: string) => void {
  const { appendFileSync } = process.getBuiltinModule("node:fs");
  let broken = false;
  return (line) => {
    if (broken) return;
    try {
      appendFileSync(path, `${line}\n`, { mode: 0o600 });
    } catch (error) {
      broken = true;
      console.error(`WARN: trace: Cannot write ONEVIRT_TRACE: ${messageOf(error)}`);
    }
  };
}

/** One line a record: wall clock, process, kind, duration, what was done, result. Lines of several threads and processes mix whole. */
class LineTracer implements Tracer {
  constructor(private readonly write: (line: string) => void) {}

  around<T>(kind: TraceKind, what: string, work: () => T, show: (result: T) => string = () => "done"): T {
    const start = performance.now();
    try {
      const result = work();
      this.note(kind, what, performance.now() - start, show(result));
      return result;
    } catch (error) {
      this.note(kind, what, performance.now() - start, `failed: ${messageOf(error)}`);
      throw error;
    }
  }

  note(kind: TraceKind, what: string, ms: number, result: string): void {
    const text = `${what} = ${result}`.replace(/[\r\n]+/g, " ");
    this.write(`DEBUG: trace: ${new Date().toISOString()} ${process.pid} ${kind} ${ms.toFixed(3)} ms ${redact(text)}`);
  }
}

/** Passwords of consoles and keys never reach a file that is attached to a bug report. */
export function redact(text: string): string {
  return text.replace(/\b(passwd|password|secret|token|key)(=|: ?)('[^']*'|"[^"]*"|\S+)/gi, "$1$2***");
}
