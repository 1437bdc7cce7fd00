import type { Deadline } from "../../src/core/deadline.ts";
import { OnevirtError } from "../../src/core/errors.ts";
import type { CommandResult, Commands, LockHolder, Locks, Log, ProcessTable, QemuProcess, RootHelpers, Severity, StateStore } from "../../src/core/ports.ts";
import type { FakeClock } from "./clock.ts";

/** Programs by their whole command line. One that the test did not name is an error of the test. */
export class FakeCommands implements Commands {
  readonly calls: string[] = [];
  readonly #programs = new Map<string, (deadline: Deadline) => CommandResult>();

  /** What a command line gives. */
  on(commandLine: string, result: Partial<CommandResult> | ((deadline: Deadline) => Partial<CommandResult>)): this {
    this.#programs.set(commandLine, (deadline) => ({ exitCode: 0, stdout: "", stderr: "", ...(typeof result === "function" ? result(deadline) : result) }));
    return this;
  }

  /** What programs were given on stdin, by command line. */
  readonly inputs = new Map<string, string>();

  async run(argv: readonly string[], deadline: Deadline, { stdin }: { readonly stdin?: string } = {}): Promise<CommandResult> {
    const line = argv.join(" ");
    if (stdin !== undefined) this.inputs.set(line, stdin);
    this.calls.push(line);
    const program = this.#programs.get(line);
    if (!program) throw new Error(`FakeCommands: unexpected program ${JSON.stringify(argv)}`);
    return program(deadline);
  }
}

/** Programs of root: recorded, and failing where the test says so. */
export class FakeRoot implements RootHelpers {
  readonly calls: string[] = [];
  readonly #failures = new Map<string, OnevirtError>();

  /** Called before each task, for instance to look at the world at that moment. */
  onCall: (call: string) => void = () => undefined;

  /** Every task that begins like this fails. */
  fails(task: string): this {
    this.#failures.set(task, new OnevirtError("COMMAND_FAILED", `Cannot run "${task}" with sudo: scripted failure`));
    return this;
  }

  vgpu(task: "create" | "delete", vmXmlPath: string): Promise<void> {
    return this.#play(`vgpu ${task} ${vmXmlPath}`);
  }

  tpm(task: "recover" | "backup", uuid: string, vmDirectory: string): Promise<void> {
    return this.#play(`tpm ${task} ${uuid} ${vmDirectory}`);
  }

  compactMemory(): Promise<void> {
    return this.#play("compactMemory");
  }

  async #play(call: string): Promise<void> {
    this.calls.push(call);
    this.onCall(call);
    for (const [task, error] of this.#failures) if (call.startsWith(task)) throw error;
  }
}

/** /proc in memory. */
export class FakeProcesses implements ProcessTable {
  /** Live processes that pid files lead to, by domain name. */
  readonly pidFiles = new Map<string, number>();
  readonly #qemu = new Map<string, QemuProcess>();
  ticks = 0;
  processors = 2;

  /** A QEMU with this UUID. */
  put(uuid: string, more: Partial<QemuProcess> = {}): void {
    this.#qemu.set(uuid, { pid: 4711, uuid, state: "S", residentKiB: 1000, swapKiB: 0, cpuTicks: 0, startTicks: 1, ...this.#qemu.get(uuid), ...more });
  }

  end(uuid: string): void {
    this.#qemu.delete(uuid);
  }

  qemu(): ReadonlyMap<string, QemuProcess> {
    return new Map(this.#qemu);
  }

  pidFile(name: string): number | undefined {
    return this.pidFiles.get(name);
  }

  cpuTotal(): { readonly ticks: number; readonly processors: number } {
    return { ticks: this.ticks, processors: this.processors };
  }
}

/** Locks in memory; `hold` is what another process does. */
export class FakeLocks implements Locks, Disposable {
  /** Every lock that was taken and given back, in order. */
  readonly calls: string[] = [];
  readonly #held = new Map<string, LockHolder>();
  #ours = 0;

  constructor(private readonly clock: FakeClock) {}

  /** Another process holds the lock of a VM, until the function that is given back is called. */
  hold(uuid: string, name: string, action: string): () => void {
    this.#held.set(uuid || name, { action, uuid, name, pid: 99, since: new Date(this.clock.nowMs()).toISOString() });
    return () => void this.#held.delete(uuid || name);
  }

  async acquire(uuid: string, name: string, action: string, deadline: Deadline): Promise<Disposable> {
    const key = uuid || name;
    if (!this.clock.passUntil(() => !this.#held.has(key), deadline)) throw new OnevirtError("BUSY", `Cannot lock "${name}": "${this.#held.get(key)?.action}" is in progress`);
    this.#held.set(key, { action, uuid, name, pid: process.pid, since: new Date(this.clock.nowMs()).toISOString() });
    this.calls.push(`lock ${key} for ${action}`);
    this.#ours++;
    return {
      [Symbol.dispose]: () => {
        this.#held.delete(key);
        this.calls.push(`unlock ${key}`);
        this.#ours--;
      },
    };
  }

  async file(path: string, deadline: Deadline): Promise<Disposable> {
    return this.acquire("", path, "file", deadline);
  }

  holder(uuidOrName: string): LockHolder | undefined {
    return this.holders().find(({ uuid, name }) => uuid === uuidOrName || name === uuidOrName);
  }

  holders(): readonly LockHolder[] {
    return [...this.#held.values()];
  }

  /** Complains about locks that were not given back. */
  [Symbol.dispose](): void {
    if (this.#ours > 0) throw new Error(`FakeLocks: ${this.#ours} lock(s) not given back`);
  }
}

/** State in memory, through JSON as on disk. */
export class FakeState implements StateStore {
  readonly values = new Map<string, string>();
  full = false;

  read(name: string): unknown {
    const text = this.values.get(name);
    return text === undefined ? undefined : JSON.parse(text);
  }

  write(name: string, value: unknown): void {
    if (this.full) throw new OnevirtError("FILE_FAILED", `Cannot write "${name}.json": no space left on the device`);
    this.values.set(name, JSON.stringify(value));
  }
}

/** A log in memory. */
export class FakeLog implements Log {
  readonly lines: string[] = [];

  log(severity: Severity, text: string): void {
    this.lines.push(`${severity}: ${text}`);
  }
}
