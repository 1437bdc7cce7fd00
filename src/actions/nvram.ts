import { dirname } from "node:path";
import type { DomainDocument } from "../codec/domain-document.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context, Files } from "../core/ports.ts";
import { isBelow } from "./host-path.ts";

/**
 * Gives a UEFI domain its variable store, made from OVMF_NVRAM in the format that the domain names. A store that exists is never
 * touched: it is the guest's boot configuration (actions.md 17.1 row 12).
 */
export async function prepareNvram({ nvram }: DomainDocument, context: Context): Promise<void> {
  if (!nvram || context.files.kind(nvram.path) !== undefined) return;
  const template = context.settings.kvmrc.OVMF_NVRAM;
  if (template === "") throw new OnevirtError("BAD_CONFIG", "the domain needs UEFI variables, and OVMF_NVRAM is not set", { hint: "set OVMF_NVRAM in kvmrc to the template of the installed firmware" });
  if (context.files.kind(template) === undefined) throw new OnevirtError("BAD_CONFIG", `the template of UEFI variables ${template} (OVMF_NVRAM) does not exist`, { hint: "install the package ovmf, or correct OVMF_NVRAM in kvmrc" });
  if ((await formatOf(template, context)) === nvram.format) return void context.files.copyIfAbsent(template, nvram.path);
  await convert(template, nvram.path, nvram.format, context);
}

/**
 * Refuses a variable store outside the directory of the VM: BAD_INPUT. The file is named after the VM, and that name is its owner's: it
 * must not lead to the store of another VM. One that exists elsewhere, without `..` on the way, was put there by an administrator.
 */
export function checkNvramPlace({ nvram }: DomainDocument, directory: string, files: Files): void {
  if (!nvram || isBelow(nvram.path, directory)) return;
  const isOurs = files.kind(nvram.path) !== undefined && !nvram.path.split("/").includes("..");
  if (!isOurs) throw new OnevirtError("BAD_INPUT", `the UEFI variables ${JSON.stringify(nvram.path)} lie outside the directory of the VM`);
}

async function formatOf(template: string, { commands, settings, deadline }: Context): Promise<string> {
  const argv = [...settings.kvmrc.QEMU_IMG, "info", "-U", "--output=json", template];
  const { exitCode, stdout, stderr } = await commands.run(argv, deadline.within(60));
  if (exitCode !== 0) throw new OnevirtError("COMMAND_FAILED", `qemu-img cannot read ${template}: ${lastLine(stderr)}`);
  const format = formatIn(stdout);
  if (format === undefined) throw new OnevirtError("COMMAND_FAILED", `qemu-img does not tell the format of ${template}`);
  return format;
}

/** The outermost format: since 8.0 the nodes below come first, each with one of its own. */
function formatIn(json: string): string | undefined {
  try {
    return (JSON.parse(json) as { readonly format?: string }).format;
  } catch {
    return undefined;
  }
}

/** Under another name first: a conversion that stops half way must not look like a finished store. */
async function convert(template: string, path: string, format: string, { commands, files, settings, deadline }: Context): Promise<void> {
  const temporary = `${path}.new`;
  files.makeDirectory(dirname(path), 0o770);
  files.remove(temporary);
  const { exitCode, stderr } = await commands.run([...settings.kvmrc.QEMU_IMG, "convert", "-O", format, template, temporary], deadline.within(120));
  if (exitCode === 0) return files.rename(temporary, path);
  files.remove(temporary);
  throw new OnevirtError("COMMAND_FAILED", `qemu-img cannot make ${path}: ${lastLine(stderr)}`);
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) || "no reason given";
}
