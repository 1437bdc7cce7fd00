import { messageOf } from "../core/errors.ts";
import { parseRequestLine } from "../codec/oned-line.ts";
import { redactXml } from "../codec/redact-message.ts";
import { showCommand } from "../codec/shell-word.ts";
import { findAction } from "./action-table.ts";
import { readFacts } from "./engine.ts";
import type { Facts, Request } from "./facts.ts";
import { stepLimitSeconds } from "./limits.ts";
import { planOf } from "./plan.ts";
import type { PlannedStep } from "./plan.ts";
import type { FrontEnd } from "./ports.ts";
import type { DriverSettings } from "./settings.ts";
import { callsOf } from "./step-runner.ts";
import type { Call } from "./step-runner.ts";

/** What a line of oned would make the driver do, as text for people; nothing is started. */
export function explain(line: string, settings: DriverSettings, frontEnd: FrontEnd): string {
  const request = parseRequestLine(line, (action) => findAction(action) !== undefined);
  switch (request.kind) {
    case "action": return explainAction(request, settings, frontEnd);
    case "unknown": return `${request.reason}\n`;
    case "refused": return `${request.action} ${request.id}: ${request.reason}\n`;
    default: return "";
  }
}

function explainAction(request: Request, settings: DriverSettings, frontEnd: FrontEnd): string {
  const title = `${request.action} ${request.id}`;
  try {
    const facts = readFacts(request, settings, frontEnd);
    const plan = planOf(facts);
    if (typeof plan === "string") return `${title}: refused: ${plan}\n`;
    const steps = plan.steps.flatMap((step, at) => explainStep(`${at + 1}.`, step, facts, frontEnd, plan.direct));
    return `${[title, ...steps.map((step) => `  ${step}`)].join("\n")}\n`;
  } catch (error) {
    return `${title}: refused: ${messageOf(error)}\n`;
  }
}

function explainStep(label: string, planned: PlannedStep, facts: Facts, frontEnd: FrontEnd, direct: boolean): readonly string[] {
  // Answers of earlier steps are not known before they run.
  if (!facts.answers.has("deploy")) facts.answers.set("deploy", "<deploy id>");
  const calls = callsOf(planned, facts, frontEnd, direct);
  const head = `${label} ${planned.step.driver} ${planned.name}${planned.step.noFail ? " (its failure is ignored)" : ""}`;
  const body = typeof calls === "string" ? [`fails: ${calls}`] : calls.map((call) => explainCall(call, planned, facts));
  const undo = planned.rollback.flatMap((step) => explainStep("if it fails:", step, facts, frontEnd, direct));
  return [head, ...[...body, ...undo].map((line) => `   ${line}`)];
}

function explainCall(call: Call, { step }: PlannedStep, facts: Facts): string {
  const limit = stepLimitSeconds(step, call.script, facts.settings.options.timeoutSeconds);
  const size = Buffer.byteLength(call.input);
  return `${call.host || "front-end"}: ${redactXml(showCommand(call.argv))}  < ${size} bytes, ${limit === undefined ? "no limit" : `at most ${limit} s`}`;
}
