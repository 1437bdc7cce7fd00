import type { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import type { CommandResult, Commands } from "../core/ports.ts";
import { type DomainJudge, XML_INVALID_SCHEMA } from "../domain/ports.ts";

/** libvirt through its own program virsh, for the one command that defines domains. */
export class VirshJudge implements DomainJudge {
  constructor(
    readonly uri: string,
    private readonly commands: Commands,
    /** Gives the text a path for as long as a call lasts. */
    private readonly withFile: <T>(text: string, use: (path: string) => Promise<T>) => Promise<T>,
  ) {}

  async define(xml: string, { schema }: { readonly schema: boolean }, deadline: Deadline): Promise<void> {
    await this.withFile(xml, (path) => this.#virsh(["define", ...(schema ? ["--validate"] : []), path], deadline));
  }

  async undefine(name: string, deadline: Deadline): Promise<void> {
    const [old, current] = [["undefine", name, "--keep-nvram"], ["undefine", name, "--keep-nvram", "--keep-tpm"]];
    // libvirt before 8.9 has no --keep-tpm, and keeps the state of a domain that never ran anyway.
    await this.#virsh(current, deadline).catch(() => this.#virsh(old, deadline));
  }

  async inactiveNames(deadline: Deadline): Promise<readonly string[]> {
    const { stdout } = await this.#virsh(["list", "--inactive", "--name"], deadline);
    return stdout.split("\n").filter((line) => line !== "");
  }

  async #virsh(words: readonly string[], deadline: Deadline): Promise<CommandResult> {
    const result = await this.commands.run(["virsh", "-q", "-c", this.uri, ...words], deadline);
    if (result.exitCode !== 0) throw refused(this.uri, result.stderr);
    return result;
  }
}

/** virsh prints libvirt's sentence and not its code; the two that matter are told by how they begin. */
function refused(uri: string, stderr: string): OnevirtError {
  const lines = stderr.split("\n").map((line) => line.replace(/^error: /, "").trim()).filter((line) => line !== "");
  const text = lines.filter((line) => !line.startsWith("Failed to define domain")).join("; ");
  if (/failed to connect to the hypervisor/i.test(text)) return new OnevirtError("LIBVIRT_UNREACHABLE", `Cannot reach ${uri}: ${text}`);
  const code = text.includes("failed to validate against schema") ? XML_INVALID_SCHEMA : 0;
  return new OnevirtError("LIBVIRT_FAILED", `${uri} refuses the document: ${text}`, { libvirt: { code, domain: 0, text } });
}
