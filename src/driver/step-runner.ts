import { listed, overrideOf } from "./action-list.ts";
import type { Command, CommandRunner } from "./command-runner.ts";
import type { Facts } from "./facts.ts";
import { answerOf } from "./journal.ts";
import type { Journal } from "./journal.ts";
import { stepLimitSeconds } from "./limits.ts";
import type { PlannedStep } from "./plan.ts";
import type { FrontEnd } from "./ports.ts";

/** How a step ended. `done` are the network drivers that had finished theirs. */
export interface StepResult {
  readonly success: boolean;
  readonly answer: string;
  readonly done: readonly string[];
}

/** Where a script is, and how it is called there: what `--dry-run` prints and a step runs. */
export interface Call extends Pick<Command, "argv" | "input" | "host"> {
  /** File name of the script, for its limit. */
  readonly script: string;
  /** The network driver, when the step has one call for each. */
  readonly networkDriver?: string;
}

/** Up to this release network scripts got their document as first argument (driver-protocol.md 16). */
const DOCUMENT_AS_ARGUMENT = 508;

/** Runs steps: finds the scripts, calls them, and makes one answer of it. */
export class StepRunner {
  constructor(
    private readonly facts: Facts,
    private readonly frontEnd: FrontEnd,
    private readonly journal: Journal,
    private readonly commands: CommandRunner,
    private readonly direct: boolean,
  ) {}

  /** Runs a step; `only` limits a network step to these drivers. */
  async run(planned: PlannedStep, only?: readonly string[]): Promise<StepResult> {
    const calls = callsOf(planned, this.facts, this.frontEnd, this.direct);
    if (typeof calls === "string") return { success: false, answer: calls, done: [] };
    return planned.step.driver === "vnm" ? this.#network(planned, calls, only) : this.#single(planned, calls[0]);
  }

  async #single(planned: PlannedStep, call: Call | undefined): Promise<StepResult> {
    if (!call) return { success: true, answer: "", done: [] };
    const outcome = await this.commands.run(this.#command(planned, call));
    const answer = answerOf(outcome);
    if (outcome.code === 0 && planned.step.answer !== undefined && answer === "-") return { success: false, answer: planned.step.answer, done: [] };
    return { success: outcome.code === 0, answer, done: [] };
  }

  /** One driver after the other; the first failure ends the step (driver-protocol.md 11.2). */
  async #network(planned: PlannedStep, calls: readonly Call[], only: readonly string[] | undefined): Promise<StepResult> {
    const done: string[] = [];
    let answer = "";
    for (const call of calls) {
      const driver = call.networkDriver ?? "";
      if (only && !only.includes(driver)) continue;
      const outcome = await this.commands.run(this.#command(planned, call));
      answer += ` ${driver}: ${answerOf(outcome)}`;
      if (outcome.code !== 0) return { success: false, answer, done };
      done.push(driver);
    }
    return { success: true, answer, done };
  }

  #command({ step, name }: PlannedStep, call: Call): Command {
    const limitSeconds = stepLimitSeconds(step, call.script, this.facts.settings.options.timeoutSeconds);
    return { ...call, limitSeconds, notice: (seconds) => this.journal.waiting(step.driver, name, call.host || "the front-end", seconds) };
  }
}

/** The calls of a step, or the text of its failure when its driver is not installed. */
export function callsOf(planned: PlannedStep, facts: Facts, frontEnd: FrontEnd, direct: boolean): readonly Call[] | string {
  switch (planned.step.driver) {
    case "vmm": return [hypervisorCall(planned, facts, direct)];
    case "vnm": return facts.networkDrivers().map((driver) => networkCall(planned, driver, facts));
    case "tm": return transferCall(planned, facts, frontEnd);
    case "ds": return datastoreCall(planned, facts, frontEnd);
  }
}

function hostOf({ step }: PlannedStep, facts: Facts): string {
  return step.onDestination ? facts.destination : facts.host;
}

function hypervisorCall(planned: PlannedStep, facts: Facts, direct: boolean): Call {
  const { step } = planned;
  if (step.program) return programCall(planned, step.program, facts);
  const { options, places, remoteDirectory } = facts.settings;
  const own = step.script ?? step.name.toLowerCase();
  const isLocal = listed(options.local, own);
  const script = isLocal ? (overrideOf(options.local, own) ?? own) : own;
  const host = hostOf(planned, facts);
  const parameters = [...step.parameters.map((value) => facts.text(value)), ...(step.bare ? [] : [facts.request.id, host])];
  const argv = [`${isLocal ? places.remotes : remoteDirectory}/vmm/${options.hypervisor}/${script}`, ...parameters];
  return { argv, script, host: isLocal ? "" : host, input: hypervisorInput(planned, facts, isLocal, direct) };
}

/** What the script reads: base64 on the front-end, as it is through an ssh of its own, with one line feed more on the stream (driver-protocol.md 9.3 to 9.5). */
function hypervisorInput({ step, name }: PlannedStep, facts: Facts, isLocal: boolean, direct: boolean): string | Uint8Array {
  if (direct && name === "poll" && facts.release <= DOCUMENT_AS_ARGUMENT) return "";
  const data = facts.stdin(step.stdin ?? "message");
  if (isLocal) return Buffer.from(data).toString("base64");
  return direct ? data : withLineFeed(data);
}

function programCall(planned: PlannedStep, program: readonly string[], facts: Facts): Call {
  const data = facts.stdin(planned.step.stdin ?? "none");
  const argv = program.map((word) => facts.fill(word));
  return { argv, script: argv[0] ?? "", host: facts.isLocalDeploy ? "" : hostOf(planned, facts), input: facts.isLocalDeploy ? data : withLineFeed(data) };
}

function networkCall(planned: PlannedStep, driver: string, facts: Facts): Call {
  const { step } = planned;
  const { options, localNetworkActions, places, remoteDirectory } = facts.settings;
  const isLocal = listed(options.local, step.name) || (facts.release >= 600 && localNetworkActions.has(`${driver}-${step.name}`));
  const host = isLocal ? "" : hostOf(planned, facts);
  const path = `${isLocal ? places.remotes : remoteDirectory}/vnm/${driver}/${step.name}`;
  const parameters = step.parameters.filter((value) => facts.release >= 600 || value !== "host").map((value) => facts.text(value));
  const common = { script: step.name, host, networkDriver: driver };
  if (facts.release <= DOCUMENT_AS_ARGUMENT) return { ...common, argv: [path, facts.networkDocument64(), ...parameters], input: "" };
  const data = facts.stdin(step.stdin ?? "network");
  return { ...common, argv: [path, ...parameters], input: isLocal ? data : withLineFeed(data) };
}

function transferCall({ step, command, name }: PlannedStep, facts: Facts, frontEnd: FrontEnd): readonly Call[] | string {
  if (!command || command.driver === "") return `Cannot run ${name}: the transfer command is incomplete`;
  const directory = `${facts.settings.places.remotes}/tm/${command.driver}`;
  if (!isPlainName(command.driver) || !frontEnd.isDirectory(directory)) return `Transfer Driver '${command.driver}' not available`;
  const path = transferScript(`${directory}/${command.action.toLowerCase()}`, frontEnd);
  if (path.missing !== undefined) return path.missing;
  const asArgument = step.stdin === "vm64" && facts.release <= DOCUMENT_AS_ARGUMENT;
  const data = facts.stdin(step.stdin ?? "none");
  const argv = [path.found, ...command.arguments, ...(asArgument ? [String(data)] : [])];
  return [{ argv, script: name, host: "", input: asArgument ? "" : data }];
}

/** `clone.ssh`, and without what is behind the last dot when there is no such script (driver-protocol.md 12). */
function transferScript(path: string, frontEnd: FrontEnd): { readonly found: string; readonly missing?: string } {
  if (frontEnd.exists(path)) return { found: path };
  const short = path.replace(/\.[^./]*$/, "");
  if (short !== path && frontEnd.exists(short)) return { found: short };
  return { found: path, missing: short === path ? `Driver path '${path}' does not exists` : `Driver path '${path}' nor '${short}' exists` };
}

function datastoreCall({ step, command, name }: PlannedStep, facts: Facts, frontEnd: FrontEnd): readonly Call[] | string {
  const driver = facts.message.text("DATASTORE/DS_MAD");
  const directory = `${facts.settings.places.remotes}/datastore/${driver}`;
  if (!isPlainName(driver) || !frontEnd.isDirectory(directory)) return `Datastore Driver '${driver}' not available`;
  return [{ argv: [`${directory}/${name}`, ...(command?.arguments ?? [])], script: name, host: "", input: facts.stdin(step.stdin ?? "none") }];
}

/** A name out of a document must not lead out of its directory. */
function isPlainName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !name.includes("/");
}

function withLineFeed(data: string | Uint8Array): string | Uint8Array {
  return typeof data === "string" ? `${data}\n` : Buffer.concat([data, Buffer.from("\n")]);
}
