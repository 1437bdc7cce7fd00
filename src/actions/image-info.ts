import { basename } from "node:path";
import { OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";

/** What qemu-img says of an image. */
export interface ImageInfo {
  /** Size that the guest sees. */
  readonly bytes: number;
  /** What it stands on, as an absolute path where qemu-img knows one. */
  readonly backing: string | undefined;
  readonly backingFormat: string | undefined;
}

/** Reads the head of an image that may be in use. COMMAND_FAILED when qemu-img cannot. */
export async function readImage(path: string, { commands, settings, deadline }: Context): Promise<ImageInfo> {
  const { exitCode, stdout, stderr } = await commands.run([...settings.kvmrc.QEMU_IMG, "info", "--force-share", "--output=json", path], deadline);
  const info = exitCode === 0 ? infoIn(stdout) : undefined;
  if (info) return info;
  throw new OnevirtError("COMMAND_FAILED", `Cannot find the size of "${basename(path)}": ${stderr.trim().split("\n").at(-1) || "qemu-img gave no virtual-size"}`);
}

function infoIn(json: string): ImageInfo | undefined {
  try {
    const info = JSON.parse(json) as Readonly<Record<string, unknown>>;
    const size = info["virtual-size"];
    return typeof size === "number" ? { bytes: size, backing: text(info["full-backing-filename"]) ?? text(info["backing-filename"]), backingFormat: text(info["backing-filename-format"]) } : undefined;
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
