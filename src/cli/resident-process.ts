import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { Deadline } from "../core/deadline.ts";
import { messageOf, OnevirtError } from "../core/errors.ts";
import type { Log } from "../core/ports.ts";
import { systemClock } from "../host/clock.ts";
import { HostFiles } from "../host/files.ts";
import { HostLocks } from "../host/locks.ts";
import { ResidentServer } from "../resident/server.ts";
import { residentSocket } from "../resident/socket-path.ts";
import { startThread } from "../thread.ts";
import { ONE_DB } from "./agent-files.ts";

const SWITCH = "/etc/onevirt/off";
const TURN_SECONDS = 10;

/** Whether upstream's agent is wanted, and there: ours ends then, and the front-end starts the other when it hears nothing. */
export function isUpstreamWanted(tree: string, driver: string, control: string, off = SWITCH): boolean {
  return existsSync(off) && (statSync(join(tree, "im", `${driver}.d`, `upstream-${control}`), { throwIfNoEntry: false })?.size ?? 0) > 0; // as the launcher decides it
}

/** Two starts at once would leave two processes: each waits for the other while it ends what was there. Whoever waits in vain, or can lock nothing, goes on. */
export async function turn(name: string): Promise<Disposable> {
  try {
    return await new HostLocks(ONE_DB, systemClock).file(`${ONE_DB}/${name}`, Deadline.after(TURN_SECONDS, systemClock));
  } catch {
    return { [Symbol.dispose]: () => undefined };
  }
}

/** Whoever could not be ended reports this host as well. */
export function foreigners(pids: readonly number[]): OnevirtError | undefined {
  if (pids.length === 0) return undefined;
  return new OnevirtError("NOT_DONE", `Cannot end what another user started, and what reports this host still: process ${pids.join(", process ")}`, { hint: "end it as that user, or as root" });
}

/** Actions borrow our libvirt threads; without that they start their own. */
export function lendThreads(log: Log): Disposable {
  try {
    return new ResidentServer(residentSocket(process.env.ONEVIRT_RESIDENT), new HostFiles(), startThread);
  } catch (error) {
    log.log("WARN", `Actions cannot borrow the libvirt threads of the agent: ${messageOf(error)}`);
    return { [Symbol.dispose]: () => undefined };
  }
}

/** Whether somebody sees what it says: then SIGHUP means that the terminal is gone. An agent that was started by `start` has none, and a session of its own. */
export function isInForeground(): boolean {
  return process.stdout.isTTY === true || process.stderr.isTTY === true;
}

/** Work once, later, which does not keep the process alive. */
export function after(ms: number, work: () => void): ReturnType<typeof setTimeout> {
  const timer = setTimeout(work, ms);
  timer.unref();
  return timer;
}

/** Work at a period, which does not keep the process alive. */
export function every(ms: number, work: () => void): ReturnType<typeof setInterval> {
  const timer = setInterval(work, ms);
  timer.unref();
  return timer;
}

/** By what a file is known again; undefined when it is gone. */
export function identityOf(path: string): string | undefined {
  try {
    const { ino, mtimeMs, size } = statSync(path);
    return `${ino} ${mtimeMs} ${size}`;
  } catch {
    return undefined;
  }
}
