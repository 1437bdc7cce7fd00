import { openTracer } from "./host/trace.ts";
import { serve } from "./libvirt/server.ts";
import type { Message } from "./libvirt/protocol.ts";

// The second entry point of the executable: the thread where libvirt may block, so that the first one never does.
declare const self: Worker;

serve(
  {
    send: (reply) => self.postMessage(reply),
    receive: (handler) => {
      self.onmessage = (event: MessageEvent<Message>) => handler(event.data);
    },
    close: () => process.exit(),
  },
  openTracer,
);
