import { openTracer } from "./host/trace.ts";
import type { StorageMessage } from "./host/storage-questions.ts";
import { serve } from "./libvirt/server.ts";
import type { Message } from "./libvirt/protocol.ts";

// The second entry point of the executable: the thread where libvirt, or a file system, may block, so that the first one never does.
declare const self: Worker;

serve(
  {
    send: (reply) => self.postMessage(reply),
    receive: (handler) => {
      self.onmessage = (event: MessageEvent<Message | StorageMessage>) => (typeof event.data === "object" && "question" in event.data ? void answer(event.data) : handler(event.data));
    },
    close: () => process.exit(),
  },
  openTracer,
);

async function answer(message: StorageMessage): Promise<void> {
  self.postMessage((await import("./host/storage-questions.ts")).askStorage(message));
}
