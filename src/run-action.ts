import type { Action, ActionInput } from "./actions/action.ts";
import { findAction, type ActionName } from "./actions/table.ts";
import { type Ahead, findTree, openContext, readGeneration, type Surroundings } from "./context.ts";
import { ERRORS, messageOf, OnevirtError } from "./core/errors.ts";
import { failureLines, logLine } from "./core/report.ts";
import { openTracer } from "./host/trace.ts";
import { stdinWithin } from "./stdin.ts";

/** stdin beyond this is no document of a VM; it is not read to its end. */
const MAX_STDIN_BYTES = 6 * 1024 * 1024;

/** Runs one action as oned calls it: arguments by position, one line on stdout at most, errors on stderr in oned's form. Gives the exit code. */
export async function runAction(name: string, argv: readonly string[], ahead: Ahead): Promise<number> {
  const surroundings = surround(name, ahead);
  const row = findAction(name);
  try {
    if (!row) throw new OnevirtError("BAD_ARGUMENT", `there is no action ${JSON.stringify(name)}`, { hint: "onevirt help lists them" });
    const args = readArguments(row, name, argv);
    using context = await openContext(name as ActionName, surroundings);
    const input = { arguments: args, stdin: row.stdin === "none" ? "" : await stdinWithin(context.deadline, "the document", MAX_STDIN_BYTES) } satisfies ActionInput;
    const answer = await (await row.load()).run(input, context);
    if (answer !== "") console.log(answer);
    return 0;
  } catch (error) {
    return report(error, name, row, argv, surroundings);
  }
}

function surround(action: string, ahead: Ahead): Surroundings {
  const tree = findTree(process.env, process.execPath);
  const trace = process.env.ONEVIRT_TRACE;
  for (const thread of [ahead.thread, ahead.longThread, ...(ahead.elsewhereThreads ?? [])]) thread?.postMessage({ prepare: true, trace });
  return { tree, trace, ...ahead, tracer: openTracer(trace), generation: readGeneration(tree), log: { log: (severity, text) => console.error(logLine(severity, action, text)) } };
}

/** Arguments by the names of the row. Missing, empty and surplus ones are refused: a shifted argument could name another VM. */
export function readArguments(row: Action, name: string, argv: readonly string[]): Record<string, string> {
  const usage = `usage: ${name} ${row.arguments.map((each) => (each.optional ? `[${each.name}]` : each.name)).join(" ")}`;
  if (argv.length > row.arguments.length) throw new OnevirtError("BAD_ARGUMENT", `${argv.length} arguments were given, at most ${row.arguments.length} are expected`, { hint: usage });
  const missing = row.arguments.find(({ optional, mayBeEmpty }, index) => (argv[index] === undefined ? !optional : argv[index] === "" && !mayBeEmpty && !optional));
  if (missing) throw new OnevirtError("BAD_ARGUMENT", `the argument ${missing.name} is missing`, { hint: usage });
  return Object.fromEntries(argv.map((value, index) => [row.arguments[index]?.name ?? "", value]));
}

function report(error: unknown, name: string, row: Action | undefined, argv: readonly string[], { generation }: Surroundings): number {
  const ours = error instanceof OnevirtError ? error : new OnevirtError("LIBVIRT_FAILED", `defect in onevirt: ${messageOf(error)}`, { cause: error, hint: "report it with the output of ONEVIRT_TRACE" });
  if (!(error instanceof OnevirtError) && process.env.ONEVIRT_DEBUG) console.error(error);
  const start = (row?.failure ?? "Cannot run the action").replace(/\{(\d)\}/g, (_whole, index: string) => argv[Number(index) - 1] || "the VM");
  console.error(failureLines(ours, name, start, generation).join("\n"));
  return ERRORS[ours.code].exit;
}
