import { parseTmCommand, tmLines } from "../codec/tm-command.ts";
import type { TmCommand } from "../codec/tm-command.ts";
import { findAction } from "./action-table.ts";
import type { ActionRow } from "./action-table.ts";
import type { Facts } from "./facts.ts";
import { missing } from "./needs.ts";
import type { CommandSource, Step } from "./steps.ts";

/** A step that will run: named, on its place, with its transfer command found. Parameters are filled in when it runs, some are answers of earlier steps. */
export interface PlannedStep {
  readonly step: Step;
  readonly name: string;
  readonly command: TmCommand | undefined;
  readonly rollback: readonly PlannedStep[];
}

/** What a request will do. */
export interface Plan {
  readonly row: ActionRow;
  /** One script through an ssh of its own, without lines about steps (driver-protocol.md 9.5). */
  readonly direct: boolean;
  readonly steps: readonly PlannedStep[];
}

/** The steps of a request, or the text of its failure when something that it needs is missing. */
export function planOf(facts: Facts): Plan | string {
  const row = findAction(facts.request.action);
  if (!row) return `Cannot run ${facts.request.action}: no such action`;
  for (const need of row.needs ?? []) {
    const text = missing(need, facts);
    if (text !== undefined) return text;
  }
  const direct = row.direct === true || facts.release < (row.direct ?? 0);
  const steps = direct ? row.steps.slice(0, 1) : row.steps;
  return { row, direct, steps: plannedSteps(steps, facts) };
}

function plannedSteps(steps: readonly Step[], facts: Facts): readonly PlannedStep[] {
  return steps
    .filter((step) => facts.release >= (step.since ?? 0) && (step.when ?? []).every((condition) => facts.holds(condition)))
    .flatMap((step) => planned(step, facts));
}

function planned(step: Step, facts: Facts): readonly PlannedStep[] {
  const common = { step, name: facts.fill(step.name) };
  const rollback = plannedSteps(step.rollback ?? [], facts);
  if (!step.command) return [{ ...common, command: undefined, rollback }];
  const text = facts.message.text(step.command.from);
  const lines = tmLines(text);
  // Nothing to undo is no step (an empty roll-back command); any other empty command was refused before, or is none to run.
  return (step.each ? lines : lines.slice(0, 1)).map((line) => ({ ...common, command: transferCommand(line, step.command, facts), rollback }));
}

/** The command with the first word that the step asks for (driver-protocol.md 12). */
function transferCommand(line: string, source: CommandSource | undefined, facts: Facts): TmCommand {
  const command = parseTmCommand(line) ?? { action: line, driver: "", arguments: [] };
  const running = source?.liveWhenRunning === true && facts.text("live") !== "";
  const action = source?.live ? command.action.replace("SNAP_CREATE", "SNAP_CREATE_LIVE") : command.action;
  return { ...command, action: `${source?.prefix ?? ""}${action}${running ? "_LIVE" : ""}` };
}
