import type { StorageThread } from "./host/storage.ts";
import type { Thread } from "./libvirt/worker-call.ts";

/** Starts the thread where libvirt may block; its file is the executable's second entry point. */
export function startThread(): Thread {
  return new Worker(new URL("./worker.ts", import.meta.url)) as unknown as Thread;
}

/** The same for file systems that may be a dead server's. */
export function startStorageThread(): StorageThread {
  return new Worker(new URL("./worker.ts", import.meta.url)) as unknown as StorageThread;
}
