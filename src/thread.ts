import { existsSync } from "node:fs";
import type { StorageThread } from "./host/storage.ts";
import type { Thread } from "./libvirt/worker-call.ts";
import { residentSocket } from "./resident/socket-path.ts";
import { ResidentThread } from "./resident/thread.ts";

/** Starts the thread where libvirt may block; its file is the executable's second entry point. */
export function startThread(): Thread {
  return new Worker(new URL("./worker.ts", import.meta.url)) as unknown as Thread;
}

/** The thread of the agent that listens in this directory, which has libvirt loaded and connected; without one a thread of our own. */
export function borrowThread(directory: string | undefined): Thread {
  const resident = residentSocket(directory);
  return existsSync(resident) ? new ResidentThread(resident, startThread) : startThread();
}

/** The same for file systems that may be a dead server's. */
export function startStorageThread(): StorageThread {
  return new Worker(new URL("./worker.ts", import.meta.url)) as unknown as StorageThread;
}
