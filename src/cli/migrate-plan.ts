import { planMigration } from "../actions/migration-plan.ts";
import { actions } from "../actions/table.ts";
import { findTree, openContext, readGeneration } from "../context.ts";
import { ERRORS, messageOf, OnevirtError } from "../core/errors.ts";
import { openTracer } from "../host/trace.ts";
import { planText } from "../migration/plan-text.ts";
import { readArguments } from "../run-action.ts";
import { startThread } from "../thread.ts";
import { parseWords, printText, readText } from "./options.ts";

const OPTIONS = {
  plan: { type: "boolean", description: "Print what would be done, and every reason to refuse; change nothing" },
  message: { type: "string", valueHint: "FILE", description: "The driver message (- for stdin); without it, storage counts as shared" },
} as const;

const USAGE = `usage: onevirt vmm migrate --plan [--message FILE] ${actions.migrate.arguments.map((each) => ("optional" in each ? `[${each.name}]` : each.name)).join(" ")}`;

/** `onevirt vmm migrate --plan …`: exit code 0 when it would be done, 1 when it would be refused, 2 for a wrong call. */
export async function migratePlan(argv: readonly string[]): Promise<number> {
  const tree = findTree(process.env, process.execPath);
  const trace = process.env.ONEVIRT_TRACE;
  try {
    const { values, words } = parseWords(argv, OPTIONS);
    const args = readArguments(actions.migrate, "migrate --plan", words);
    using context = await openContext("migrate", { tree, trace, tracer: openTracer(trace), generation: readGeneration(tree), thread: startThread(), log: { log: (severity, text) => console.error(`${severity}: ${text}`) } });
    const plan = await planMigration({ arguments: args, stdin: values["message"] === undefined ? "" : await readText(values["message"]) }, context);
    printText(planText(plan));
    return plan.findings.some(({ kind }) => kind === "refusal") ? 1 : 0;
  } catch (error) {
    const ours = error instanceof OnevirtError ? error : undefined;
    console.error(`Cannot plan the migration: ${messageOf(error)}${ours?.code === "BAD_ARGUMENT" ? ` (${USAGE})` : ours?.hint ? ` (${ours.hint})` : ""}`);
    return ours ? ERRORS[ours.code].exit : 1;
  }
}
