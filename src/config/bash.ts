import { hasCode, messageOf } from "../core/errors.ts";
import type { CommandResult } from "../core/ports.ts";
import { VARIABLES } from "../core/settings.ts";
import { configError } from "./problem.ts";
import type { RawValues } from "./raw.ts";

/** Runs a program to its end within so many seconds; as `Commands.run`, with the deadline made by whoever has the clock. */
export type RunBash = (argv: readonly string[], limitSeconds: number) => Promise<CommandResult>;

/** What bash made of a file, and what it complained about without giving up (upstream's scripts go on then, and so do we). */
export interface Evaluated {
  readonly values: RawValues;
  readonly complaints: readonly Complaint[];
}

export interface Complaint {
  readonly line: number;
  readonly text: string;
}

const LIMIT_SECONDS = 5;
const SYNTAX_ERROR = 64;
const FINISHED = "finished";
/** bash starts with this one, so that its messages are in English; the file did not set it, or set it to what is our default too. */
const GIVEN = "LANG=C";

/**
 * Prints each variable of the table as NAME=VALUE, each followed by a NUL. A failing last command and a syntax error give `.`
 * the same status, so the syntax is then checked by itself. `builtin` because the file may define functions of these names.
 */
const SCRIPT = `__file=$1
. "$__file" >/dev/null || { builtin printf '\\0' >&2; "$BASH" -n "$__file" >/dev/null || builtin exit ${SYNTAX_ERROR}; }
for __name in ${Object.keys(VARIABLES).join(" ")}; do
  [[ \${!__name+set} ]] && builtin printf '%s=%s\\0' "$__name" "\${!__name}"
done
builtin printf '${FINISHED}\\0'
builtin exit 0`;

/** Evaluates a kvmrc that holds more than plain assignments, as upstream's scripts do: bash sources it (install-and-sync.md 7.2, R23). */
export async function evaluate(path: string, line: number, runBash: RunBash): Promise<Evaluated> {
  const { exitCode, stdout, stderr } = await start(path, line, runBash);
  const fields = stdout.split("\0").slice(0, -1);
  if (exitCode === SYNTAX_ERROR) throw refused(path, complaintsOf(path, stderr.slice(stderr.lastIndexOf("\0") + 1)).at(0), line);
  if (fields.at(-1) !== FINISHED) throw refused(path, complaintsOf(path, stderr).at(-1), line);
  const assigned = fields.slice(0, -1).filter((field) => field !== GIVEN);
  return { values: new Map(assigned.map((field) => valueOf(field, path))), complaints: complaintsOf(path, stderr) };
}

/** `env -i`: whatever oned or an operator has in the environment must not decide what a setting is. */
async function start(path: string, line: number, runBash: RunBash): Promise<CommandResult> {
  const clean = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/var/lib/one", GIVEN];
  try {
    return await runBash([...clean, "bash", "--noprofile", "--norc", "-c", SCRIPT, "bash", path], LIMIT_SECONDS);
  } catch (error) {
    const reason = hasCode(error, "TIMED_OUT") ? `bash was not done with it after ${LIMIT_SECONDS} s` : `it holds shell code, and bash did not start: ${messageOf(error)}`;
    throw configError({ path, line, reason, hint: "write plain NAME=value assignments" });
  }
}

function valueOf(field: string, path: string): [string, { text: string; origin: { path: string } }] {
  const equals = field.indexOf("=");
  return [field.slice(0, equals), { text: field.slice(equals + 1), origin: { path } }];
}

function refused(path: string, complaint: Complaint | undefined, line: number) {
  const reason = complaint?.text ?? "bash ended before the end of the file";
  return configError({ path, line: complaint?.line ?? line, reason, hint: "correct the shell code, or write plain NAME=value assignments" });
}

/** bash names file and line in what it reports itself: `FILE: line N: TEXT`. */
function complaintsOf(path: string, stderr: string): Complaint[] {
  const prefix = `${path}: line `;
  return stderr.split(/[\n\0]/).flatMap((text) => {
    if (!text.startsWith(prefix)) return [];
    const colon = text.indexOf(": ", prefix.length);
    return [{ line: Number(text.slice(prefix.length, colon)), text: text.slice(colon + 2) }];
  });
}
