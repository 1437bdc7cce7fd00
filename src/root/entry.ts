import { readFileSync, statSync } from "node:fs";
import { ERRORS, messageOf, OnevirtError } from "../core/errors.ts";
import type { Caller } from "./caller-files.ts";
import type { RootName } from "./place.ts";
import { backupTpm, recoverTpm } from "./tpm-state.ts";
import { vgpu } from "./vgpu.ts";

/** The agent's pid; it reports new vGPU profiles at once when it is told (actions.md 7.23). */
const AGENT_PID = "/var/tmp/one_db/.monitor_client.pid";

/** One task of root, as sudo calls it. Gives the exit code; the reason of a failure is on stderr. */
export async function rootMain(name: RootName, argv: readonly string[], environment: Readonly<Record<string, string | undefined>>): Promise<number> {
  try {
    if (process.geteuid?.() !== 0) throw new OnevirtError("BAD_ARGUMENT", "it must be run as root", { hint: "sudo -n runs it; see onevirt root install" });
    const caller = callerOf(environment);
    await run(name, argv, caller);
    return 0;
  } catch (error) {
    console.error(`Cannot run ${name}: ${messageOf(error)}`);
    return error instanceof OnevirtError ? ERRORS[error.code].exit : 1;
  }
}

async function run(name: RootName, [task = "", ...words]: readonly string[], caller: Caller): Promise<void> {
  const [first = "", second = ""] = words;
  const call = `${name} ${task.toLowerCase()} ${words.length}`;
  switch (call) {
    case "vgpu create 1": case "vgpu delete 1":
      await vgpu(task.toLowerCase() as "create" | "delete", first, "/sys", (text) => console.error(text));
      return tellAgent(caller);
    case "vtpm_setup recover 2": return recoverTpm(first, second, caller);
    case "vtpm_setup backup 2": return backupTpm(first, second, caller);
    default: throw new OnevirtError("BAD_ARGUMENT", `Unsupported action '${task.slice(0, 40)}' with ${words.length} arguments`, { hint: "vgpu create|delete VM.XML; vtpm_setup recover|backup UUID DIRECTORY" });
  }
}

/** sudo says who called; root itself has nobody to give the files to. */
function callerOf({ SUDO_UID = "", SUDO_GID = "" }: Readonly<Record<string, string | undefined>>): Caller {
  if (!/^[1-9]\d{0,9}$/.test(SUDO_UID) || !/^[1-9]\d{0,9}$/.test(SUDO_GID)) throw new OnevirtError("BAD_ARGUMENT", "it must be called by a user through sudo");
  const [uid, gid] = [Number(SUDO_UID), Number(SUDO_GID)];
  return { uid, gid, as: (work) => withRights(uid, gid, work) };
}

function withRights<T>(uid: number, gid: number, work: () => T): T {
  const groups = process.getgroups?.() ?? [];
  process.setgroups?.([gid]);
  process.setegid?.(gid);
  process.seteuid?.(uid);
  try {
    return work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.setgroups?.(groups);
  }
}

/** Only a process of the caller: its pid file is his, and root could signal anything. */
function tellAgent({ uid }: Caller): void {
  try {
    const pid = Number(readFileSync(AGENT_PID, "utf8").trim());
    if (Number.isSafeInteger(pid) && pid > 1 && statSync(`/proc/${pid}`).uid === uid) process.kill(pid, "SIGUSR1");
  } catch {
    return; // no agent: it will report when it starts
  }
}
