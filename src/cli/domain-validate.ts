import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { defineCommand } from "citty";
import { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import { validateDomain, type Verdict } from "../domain/validate.ts";
import { systemClock } from "../host/clock.ts";
import { HostCommands } from "../host/commands.ts";
import { parseWords, printText, readText } from "./options.ts";
import { VirshJudge } from "./virsh-judge.ts";

const OPTIONS = {
  file: { type: "positional", description: "Domain document; - is standard input", required: false },
  libvirt: { type: "string", valueHint: "URI", description: "Ask this libvirt: defined under a throw-away name, then undefined" },
  json: { type: "boolean", description: "Print JSON" },
} as const;

const LIMIT_SECONDS = 60;

/** `onevirt domain validate`: what was checked and how it ended; exit 1 when a check failed. */
export default defineCommand({
  meta: { name: "validate", description: "Judge a domain document: well-formed, libvirt's schema, libvirt itself" },
  args: OPTIONS,
  async run({ rawArgs }) {
    const { words: [path, ...more], values, flags } = parseWords(rawArgs, OPTIONS);
    if (path === undefined || more.length > 0) throw new OnevirtError("BAD_ARGUMENT", "Cannot validate: name one file, or - for standard input");
    const text = await readText(path);
    const interrupted = finishWhatWasBegun();
    const verdicts = await validate(text, path, values["libvirt"]);
    const failed = verdicts.some(({ outcome }) => outcome === "failed");
    printText(flags.has("json") ? `${JSON.stringify({ version: 1, valid: !failed, verdicts }, null, 2)}\n` : verdicts.map(line).join(""));
    process.exitCode = interrupted() ? 130 : failed ? 1 : 0;
  },
});

/** A signal between define and undefine must not leave the domain behind: the rest is short, and bounded. */
function finishWhatWasBegun(): () => boolean {
  let interrupted = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void (interrupted = true));
  return () => interrupted;
}

async function validate(text: string, path: string, uri: string | undefined): Promise<readonly Verdict[]> {
  const judge = (where: string) => new VirshJudge(where, new HostCommands(), withFile);
  const judges = {
    schema: Bun.which("virsh") ? judge("test:///default") : undefined,
    libvirt: uri === undefined ? undefined : judge(uri),
    isAlive, pid: process.pid, nowSeconds: Math.floor(systemClock.nowMs() / 1000), uuid: crypto.randomUUID(),
  };
  return validateDomain(text, path === "-" ? "standard input" : path, judges, Deadline.after(LIMIT_SECONDS, systemClock));
}

function line({ check, outcome, detail }: Verdict): string {
  return `${check.padEnd(12)}${outcome === "skipped" ? "not checked" : outcome}: ${detail}\n`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

async function withFile<T>(text: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(`${tmpdir()}/onevirt-`);
  try {
    await Bun.write(`${folder}/domain.xml`, text);
    return await use(`${folder}/domain.xml`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
