import type { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Commands, RootHelpers } from "../core/ports.ts";

/** What sudo may run (the aliases ONE_VGPU, ONE_VTPM and ONE_MEM of OpenNebula's sudoers). */
export interface RootPrograms {
  /** `sudo -n`, or what SUDO of kvmrc says. */
  readonly sudo: readonly string[];
  readonly vgpu: string;
  readonly vtpm: string;
}

/** Programs that need root, through sudo and never with a password prompt. */
export class SudoHelpers implements RootHelpers {
  constructor(
    private readonly commands: Commands,
    private readonly programs: RootPrograms,
  ) {}

  async vgpu(task: "create" | "delete", vmXmlPath: string, deadline: Deadline): Promise<void> {
    await this.#run([this.programs.vgpu, task.toUpperCase(), vmXmlPath], deadline);
  }

  async tpm(task: "recover" | "backup", uuid: string, vmDirectory: string, deadline: Deadline): Promise<void> {
    await this.#run([this.programs.vtpm, task, uuid, vmDirectory], deadline);
  }

  /** The argument text must match the sudoers line to the letter. */
  async compactMemory(deadline: Deadline): Promise<void> {
    await this.#run(["sysctl", "vm.drop_caches=3", "vm.compact_memory=1"], deadline);
  }

  async #run(argv: readonly string[], deadline: Deadline): Promise<void> {
    const { exitCode, stderr } = await this.commands.run([...this.programs.sudo, ...argv], deadline);
    if (exitCode === 0) return;
    const reason = stderr.trim().split("\n").at(-1) || `exit code ${exitCode}`;
    throw new OnevirtError("COMMAND_FAILED", `Cannot run "${argv.join(" ")}" with sudo: ${reason}`);
  }
}
