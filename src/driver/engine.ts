import { messageOf } from "../core/errors.ts";
import { DriverMessage } from "../codec/driver-message.ts";
import { findAction } from "./action-table.ts";
import { CommandRunner } from "./command-runner.ts";
import { Facts } from "./facts.ts";
import type { Request } from "./facts.ts";
import { Journal } from "./journal.ts";
import { planOf } from "./plan.ts";
import type { Plan, PlannedStep } from "./plan.ts";
import { StepRunner } from "./step-runner.ts";
import type { StepResult } from "./step-runner.ts";
import type { FrontEnd } from "./ports.ts";
import type { DriverSettings } from "./settings.ts";
import type { World } from "./world.ts";

/** What oned is told. */
export interface ActionResult {
  readonly success: boolean;
  readonly info: string;
}

/** One request from its message to its result (driver-protocol.md 14). Whatever happens, it ends with a result. */
export async function runAction(request: Request, world: World, signal: AbortSignal): Promise<ActionResult> {
  const journal = new Journal(world.output, request.id);
  signal.addEventListener("abort", () => journal.silence(), { once: true });
  let facts: Facts | undefined;
  try {
    facts = readFacts(request, world.settings, world.frontEnd);
    const plan = planOf(facts);
    return typeof plan === "string" ? { success: false, info: plan } : await runPlan(plan, facts, world, journal, signal);
  } catch (error) {
    return { success: false, info: prefixed(messageOf(error), facts) };
  }
}

/** oned drops an answer about a security group or a network that does not begin with its id, also that of a failure (driver-protocol.md 3.3). */
function prefixed(info: string, facts: Facts | undefined): string {
  const prefix = findAction(facts?.request.action ?? "")?.prefix;
  return facts && prefix ? `${facts.text(prefix)} ${info}` : info;
}

/** What a request says, with the deployment file that DEPLOY needs. */
export function readFacts(request: Request, settings: DriverSettings, frontEnd: FrontEnd): Facts {
  const message = DriverMessage.parse(request.payload);
  if (message.text("HOST") === "") throw new Error(`Cannot perform ${request.action}, expecting HOST`);
  const file = request.action === "DEPLOY" ? message.text("LOCAL_DEPLOYMENT_FILE") : "";
  return new Facts(request, message, settings, file === "" ? undefined : frontEnd.findBytes(file));
}

async function runPlan(plan: Plan, facts: Facts, world: World, journal: Journal, signal: AbortSignal): Promise<ActionResult> {
  const claim = world.slots.claim(facts.host);
  const commands = new CommandRunner(world, facts, journal, claim, signal, plan.direct);
  const steps = new StepRunner(facts, world.frontEnd, journal, commands, plan.direct);
  try {
    return plan.direct ? await runDirect(plan, steps) : await new Engine(plan, facts, world, journal, steps, signal).run();
  } finally {
    commands.close();
    claim.lend();
  }
}

async function runDirect(plan: Plan, steps: StepRunner): Promise<ActionResult> {
  const [step] = plan.steps;
  if (!step) return { success: true, info: "" };
  const { success, answer } = await steps.run(step);
  return { success, info: answer };
}

class Engine {
  constructor(
    private readonly plan: Plan,
    private readonly facts: Facts,
    private readonly world: World,
    private readonly journal: Journal,
    private readonly steps: StepRunner,
    private readonly signal: AbortSignal,
  ) {}

  async run(): Promise<ActionResult> {
    const failure = await this.#list(this.plan.steps);
    const info = failure ? failure.answer : (this.facts.answers.get(this.plan.row.answer ?? "") ?? "");
    return { success: !failure, info: prefixed(info, this.facts) };
  }

  /** Runs steps in order; the failure that ended them, or undefined. */
  async #list(list: readonly PlannedStep[], only?: readonly string[]): Promise<StepResult | undefined> {
    for (const planned of list) {
      if (this.signal.aborted) return { success: false, answer: "Cancelled", done: [] };
      const result = await this.#one(planned, planned.step.onlyDone ? only : undefined);
      if (!result.success && !planned.step.noFail) return result;
    }
    return undefined;
  }

  async #one(planned: PlannedStep, only?: readonly string[]): Promise<StepResult> {
    const { step, name, rollback } = planned;
    const result = await this.steps.run(planned, only);
    if (result.success) this.facts.answers.set(name, result.answer.trim());
    else if (!this.signal.aborted && !this.world.ending.aborted) await this.#list(rollback.filter((undo) => !undo.step.onlyDone || result.done.length > 0), result.done);
    this.journal.step(step.driver, name, result.success);
    return result;
  }
}
