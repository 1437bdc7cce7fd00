import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Result } from "./executable-tree.ts";

/** /tmp, /var/tmp and /etc of their own, the last one empty; a directory that would be hidden stays where it is. */
const OWN = 'mount --bind "$1" /mnt; for place in /tmp /var/tmp /etc; do mount -t tmpfs tmpfs "$place"; done; mkdir -p "$1"; mount --bind /mnt "$1"; mkdir -m 755 /etc/onevirt; echo ready; exec sleep 600';

/** A mount namespace for programs that write to places of the host. Processes are seen from outside. */
export class OwnPlaces implements AsyncDisposable {
  private constructor(private readonly holder: Bun.Subprocess) {}

  /** `keep` is seen inside under its own name. */
  static async open(keep: string = mkdtempSync(join(tmpdir(), "places-"))): Promise<OwnPlaces> {
    const holder = Bun.spawn(["unshare", "--mount", "--propagation", "private", "sh", "-ec", OWN, "sh", keep], { stdout: "pipe" });
    for await (const _ready of holder.stdout as ReadableStream<Uint8Array>) break;
    return new OwnPlaces(holder);
  }

  /** Runs a program there to its end. */
  async run(command: readonly string[], { stdin = "", env = {} }: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>> } = {}): Promise<Result> {
    const child = Bun.spawn(this.inside(command), { stdin: Buffer.from(stdin), stdout: "pipe", stderr: "pipe", env: { PATH: process.env.PATH ?? "", ...env } });
    const [stdout, stderr, exitCode] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
    return { exitCode, stdout, stderr };
  }

  /** A command that runs there. */
  inside(command: readonly string[]): string[] {
    return ["nsenter", "-t", String(this.holder.pid), "-m", ...command];
  }

  /** The path of a file of these places as it is seen from outside. */
  path(inside: string): string {
    return `/proc/${this.holder.pid}/root${inside}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.holder.kill("SIGKILL");
    await this.holder.exited;
  }
}
