import { quoteWord } from "../codec/shell-word.ts";
import { OnevirtError } from "../core/errors.ts";
import type { CommandResult, Context } from "../core/ports.ts";

/** Never asks, never goes through a connection that another session keeps (actions.md 10.4), and never waits for ever for a host that has died (17.3). */
const SSH_OPTIONS = ["BatchMode=yes", "ControlMaster=no", "ControlPath=none", "ConnectTimeout=30", "ServerAliveInterval=15", "ServerAliveCountMax=4"].flatMap((option) => ["-o", option]);

/** What ssh itself ends with when it cannot connect. */
const SSH_FAILED = 255;

/** Files on the destination. ssh gives its words to a shell there, so each of them is quoted; rsync gets its paths through its own protocol (-s). */
export class DestinationFiles {
  constructor(
    private readonly host: string,
    private readonly context: Pick<Context, "commands" | "settings" | "deadline">,
  ) {}

  async exists(path: string): Promise<boolean> {
    const { exitCode, stderr } = await this.#ssh(["test", "-e", path, "-o", "-L", path]);
    if (exitCode > 1) throw this.#failed(`look at "${path}"`, exitCode, stderr);
    return exitCode === 0;
  }

  makeDirectory(path: string): Promise<void> {
    return this.#must(["mkdir", "-p", "--", path], `make the directory "${path}"`);
  }

  link(target: string, path: string): Promise<void> {
    return this.#must(["ln", "-s", "--", target, path], `make the link "${path}"`);
  }

  /** An empty image of this size, for QEMU to fill. */
  createImage(path: string, format: string, bytes: number): Promise<void> {
    return this.#must([...this.context.settings.kvmrc.QEMU_IMG, "create", "-q", "-f", format, path, String(bytes)], `create the image "${path}"`);
  }

  /** Sends files or directories of this host into a directory there. */
  async send(paths: readonly string[], directory: string): Promise<void> {
    if (paths.length === 0) return;
    const host = this.host.includes(":") ? `[${this.host}]` : this.host;
    const argv = ["rsync", "-az", "-s", "-e", [...this.context.settings.kvmrc.SSH, ...SSH_OPTIONS].join(" "), "--", ...paths, `${host}:${directory}/`];
    const { exitCode, stderr } = await this.context.commands.run(argv, this.context.deadline);
    if (exitCode !== 0) throw this.#failed("send files", exitCode, stderr);
  }

  /** Takes back what was made, the last first. A name with a slash at its end is a directory, which goes only when it is empty. */
  async remove(made: readonly string[]): Promise<void> {
    const [directories, files] = [made.filter((path) => path.endsWith("/")), made.filter((path) => !path.endsWith("/"))];
    if (files.length > 0) await this.#must(["rm", "-f", "--", ...files], "remove files");
    for (const directory of directories.toReversed()) await this.#ssh(["rmdir", "--", directory]);
  }

  async #must(words: readonly string[], doing: string): Promise<void> {
    const { exitCode, stderr } = await this.#ssh(words);
    if (exitCode !== 0) throw this.#failed(doing, exitCode, stderr);
  }

  #ssh(words: readonly string[]): Promise<CommandResult> {
    return this.context.commands.run([...this.context.settings.kvmrc.SSH, ...SSH_OPTIONS, this.host, words.map(quoteWord).join(" ")], this.context.deadline);
  }

  #failed(doing: string, exitCode: number, stderr: string): OnevirtError {
    const said = stderr.trim().split("\n").at(-1) ?? "";
    return new OnevirtError("COMMAND_FAILED", `Cannot ${doing} on ${this.host}: ${said === "" ? `exit code ${exitCode}` : said}`, exitCode === SSH_FAILED ? { hint: `try "ssh ${this.host} true" as oneadmin on this host` } : {});
  }
}
