import type { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { Files, Hypervisor, Locks, Log } from "../core/ports.ts";

/** Where upstream keeps the pids of guest commands, and the lock of whoever reads or writes them (actions.md 7.21): an interface. */
export const EXEC_DIRECTORY = "/var/run/one";
const LOCK = `${EXEC_DIRECTORY}/.exec-lock`;

/** How long one question to an agent may take, and how long the lock of another program is waited for. */
const ASK_SECONDS = 5;
const LOCK_SECONDS = 30;

/** The same for a command that somebody starts, who is to read of a silent agent that it is: libvirt says so after 5 s. */
const START_SECONDS = 7;

/** How long a pass begins with another guest: it holds the lock that `exec` waits for. */
const PASS_SECONDS = 10;

/** What running commands in guests needs. */
export interface GuestExecPorts {
  readonly hypervisor: Hypervisor;
  readonly files: Files;
  readonly locks: Locks;
  readonly log: Log;
}

/** A command for a guest; input is base64. */
export interface GuestCommand {
  readonly path: string;
  readonly arguments: readonly string[];
  readonly inputBase64?: string;
}

/** How a command ended; output is base64, as the agent gives it. */
export interface GuestResult {
  readonly exited: boolean;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a command and keeps its pid for the collector. One command at a time: a second one would make the first one's result unreadable. */
export async function startCommand(vm: string, uuid: string, command: GuestCommand, ports: GuestExecPorts, deadline: Deadline): Promise<number> {
  using _lock = await ports.locks.file(LOCK, deadline.within(LOCK_SECONDS));
  const before = keptPid(vm, ports.files);
  if (before !== undefined) await requireEnded(vm, uuid, before, ports, deadline);
  const pid = await execute(uuid, command, ports.hypervisor, deadline);
  ports.files.writeAtomic(pidFile(vm), String(pid), 0o640, { flush: false });
  return pid;
}

/** Kills the command that was started last. None is fine; a guest that cannot kill is an error, and the command stays known. */
export async function killCommand(vm: string, uuid: () => Promise<string>, ports: GuestExecPorts, deadline: Deadline): Promise<void> {
  using _lock = await ports.locks.file(LOCK, deadline.within(LOCK_SECONDS));
  const pid = keptPid(vm, ports.files);
  if (pid !== undefined) await execute(await uuid(), { path: "kill", arguments: ["-9", String(pid)] }, ports.hypervisor, deadline);
  ports.files.remove(pidFile(vm));
}

/** The guest with which the next pass begins: the last one had no time for it. */
let next = "";

/**
 * Reports of all commands that have ended since, as the monitoring of OpenNebula 7.2 and later reads them. A guest that does not answer
 * costs its own budget and nobody else's result; a command that its guest no longer knows is reported as ERROR, or it would run for ever.
 * One after the other: they have one thread of libvirt, where each would use up the budgets of those behind it. Nobody is asked who has
 * less than a whole budget, because an answer that comes too late is lost.
 */
export async function collectResults(ports: GuestExecPorts, deadline: Deadline): Promise<string> {
  using _lock = await ports.locks.file(LOCK, deadline.within(LOCK_SECONDS));
  const pass = deadline.within(PASS_SECONDS);
  const vms = inTurn(ports.files.names(EXEC_DIRECTORY).filter((name) => /^one-\d+$/.test(name)));
  const texts: string[] = [];
  for (const vm of vms) {
    next = vm;
    if (pass.expired || deadline.remainingMs() < 2 * ASK_SECONDS * 1000) return texts.join("");
    texts.push(await report(vm, ports, deadline));
  }
  next = "";
  return texts.join("");
}

function inTurn(vms: readonly string[]): readonly string[] {
  const first = Math.max(0, vms.indexOf(next));
  return [...vms.slice(first), ...vms.slice(0, first)];
}

async function report(vm: string, ports: GuestExecPorts, deadline: Deadline): Promise<string> {
  const pid = keptPid(vm, ports.files);
  if (pid === undefined) return "";
  try {
    const domain = await ports.hypervisor.find(vm, deadline.within(ASK_SECONDS));
    const result = domain ? await statusOf(domain.uuid, pid, ports.hypervisor, deadline) : "lost";
    if (result !== "lost" && !result.exited) return "";
    ports.files.remove(pidFile(vm));
    return result === "lost" ? record(vm, pid, "ERROR", -1, "", "") : record(vm, pid, "DONE", result.code, result.stdout, result.stderr);
  } catch (error) {
    ports.log.log("WARN", `The command in ${vm} is not known to have ended: ${messageOf(error)}`);
    return "";
  }
}

function record(vm: string, pid: number, status: string, code: number, stdout: string, stderr: string): string {
  return `VM = [ ID="${vm.slice("one-".length)}", PID="${pid}", STATUS="${status}", RETURN_CODE="${code}", STDOUT="${stdout}", STDERR="${stderr}" ]\n`;
}

async function requireEnded(vm: string, uuid: string, pid: number, { hypervisor, log }: GuestExecPorts, deadline: Deadline): Promise<void> {
  const result = await statusOf(uuid, pid, hypervisor, deadline);
  if (result === "lost" || result.exited) return log.log("WARN", `The result of the command before (guest pid ${pid} of ${vm}) was not collected`);
  throw new OnevirtError("INVALID_STATE", `a command is running in the guest already, with guest pid ${pid}`, { hint: "wait for it, or cancel it" });
}

async function execute(uuid: string, { path, arguments: args, inputBase64 }: GuestCommand, hypervisor: Hypervisor, deadline: Deadline): Promise<number> {
  const question = { execute: "guest-exec", arguments: { path, arg: args, "capture-output": true, ...(inputBase64 === undefined ? {} : { "input-data": inputBase64 }) } };
  const { pid } = await ask(uuid, question, hypervisor, deadline.within(START_SECONDS));
  if (typeof pid !== "number" || !Number.isSafeInteger(pid)) throw new OnevirtError("AGENT_UNRESPONSIVE", "the guest agent started the command, but gave no pid");
  return pid;
}

/** "lost": the agent does not know the pid, because the guest or the agent was restarted. */
async function statusOf(uuid: string, pid: number, hypervisor: Hypervisor, deadline: Deadline): Promise<GuestResult | "lost"> {
  try {
    const answer = await ask(uuid, { execute: "guest-exec-status", arguments: { pid } }, hypervisor, deadline.within(ASK_SECONDS));
    const code = typeof answer.exitcode === "number" ? answer.exitcode : typeof answer.signal === "number" ? 128 + answer.signal : 0;
    return { exited: answer.exited === true, code, stdout: base64(answer["out-data"]), stderr: base64(answer["err-data"]) };
  } catch (error) {
    if (hasCode(error, "LIBVIRT_FAILED") && /[Pp]id|PID/.test(error.message)) return "lost";
    throw error;
  }
}

/** Answers come from the guest: whatever is not plain base64 is left out. */
function base64(value: unknown): string {
  return typeof value === "string" && /^[A-Za-z0-9+/=]*$/.test(value) ? value : "";
}

async function ask(uuid: string, question: object, hypervisor: Hypervisor, deadline: Deadline): Promise<Readonly<Record<string, unknown>>> {
  const answer = await hypervisor.guest.command(uuid, JSON.stringify(question), deadline);
  try {
    const { return: value } = JSON.parse(answer) as { readonly return?: unknown };
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // the same as an answer without content
  }
  throw new OnevirtError("AGENT_UNRESPONSIVE", "the guest agent gave an answer that cannot be read");
}

function keptPid(vm: string, files: Files): number | undefined {
  const text = files.findText(pidFile(vm), 64)?.trim() ?? "";
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function pidFile(vm: string): string {
  return `${EXEC_DIRECTORY}/${vm}`;
}
