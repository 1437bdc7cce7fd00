import { afterEach, describe, expect, test } from "bun:test";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { MonitorSocket } from "../../../src/host/monitor-socket.ts";

/** A front-end on loopback; `take` is what it does with a connection. */
async function frontEnd(take: (socket: Socket) => void): Promise<MonitorSocket> {
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    take(socket);
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return MonitorSocket.open("127.0.0.1", (server.address() as AddressInfo).port);
}

let server: Server | undefined;
afterEach(() => server?.close());

describe("MonitorSocket.tcp()", () => {
  test("tcp() ends when the front-end has read everything and closed", async () => {
    let text = "";
    using socket = await frontEnd((peer) => peer.on("data", (data) => (text += data)));
    await socket.tcp("MESSAGE\n");
    expect(text).toBe("MESSAGE\n");
  });

  test("tcp() took a message for delivered that only the kernel had: a front-end that dies before it has read has not got it", async () => {
    using socket = await frontEnd((peer) => {
      peer.pause();
      setTimeout(() => peer.resetAndDestroy(), 50);
    });
    expect(await socket.tcp("MESSAGE\n").then(() => "delivered", () => "lost")).toBe("lost");
  });

  test("tcp() says that nobody listens", async () => {
    using socket = await frontEnd(() => undefined);
    server?.close();
    expect(await socket.tcp("MESSAGE\n").then(() => "", String)).toContain("ECONNREFUSED");
  });
});
