import { defineCommand } from "citty";
import { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import { validateDomain, type Verdict } from "../domain/validate.ts";
import { systemClock } from "../host/clock.ts";
import { GuardedJudge } from "../libvirt/guarded-judge.ts";
import { startThread } from "../thread.ts";
import { parseWords, printText, readText } from "./options.ts";

const OPTIONS = {
  file: { type: "positional", description: "Domain document; - is standard input", required: false },
  libvirt: { type: "string", valueHint: "URI", description: "Ask this libvirt: defined under a throw-away name, then undefined" },
  json: { type: "boolean", description: "Print JSON" },
} as const;

const LIMIT_SECONDS = 60;

/** libvirt's test driver: it lives in our own process, and needs only the schema files that come with libvirt.so. */
const SCHEMA_URI = "test:///default";

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

/** A signal between define and undefine must not leave the domain behind: the rest is bounded. The same signal again ends at once. */
function finishWhatWasBegun(): () => boolean {
  let interrupted = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => void (interrupted = true));
  return () => interrupted;
}

async function validate(text: string, path: string, uri: string | undefined): Promise<readonly Verdict[]> {
  using schema = new GuardedJudge({ uri: SCHEMA_URI, startWorker: startThread });
  using libvirt = uri === undefined ? undefined : new GuardedJudge({ uri, startWorker: startThread });
  const judges = { schema, libvirt, isAlive, pid: process.pid, nowSeconds: Math.floor(systemClock.nowMs() / 1000), uuid: crypto.randomUUID() };
  return await validateDomain(text, path === "-" ? "standard input" : path, judges, Deadline.after(LIMIT_SECONDS, systemClock));
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
