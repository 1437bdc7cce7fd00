import { describe, expect, test } from "bun:test";
import type { AgentStatus } from "../../../src/agent/status.ts";
import { describe as describeAgent } from "../../../src/cli/agent-status.ts";

const status = (more: Partial<AgentStatus> = {}): AgentStatus => ({
  pid: 77, driver: "qemu", hostId: 3, hostName: "host7", build: "b", writtenAt: "2026-01-02T03:04:05.000Z", healthy: true, states: "libvirt", quarantined: [],
  loops: [
    { category: "host/system", periodSeconds: 600, ageSeconds: 12, lastProblem: "Error executing a.sh: no lspci" },
    { category: "vm/status", periodSeconds: 5, ageSeconds: undefined, lastProblem: undefined },
  ],
  messages: { sent: 40, failed: 2 }, latestMessage: 1_700_000_000, events: 7, listening: true, ...more,
});

describe("describe() of agent status", () => {
  test("describe() tells who it is, what was sent and heard, and of each loop its age and its problem", () => {
    expect(describeAgent(status(), true, true)).toBe(`Agent of host 3 (host7, qemu), process 77: runs
As of 2026-01-02T03:04:05.000Z: 40 messages sent, 2 failed; 7 events, listening
  host/system    every  600 s, last 12 s ago; Error executing a.sh: no lspci
  vm/status      every    5 s, last never`);
  });

  test.each([
    ["runs, but a loop stands still", { healthy: false }, true, true],
    ["runs, but has written nothing since", { healthy: false }, true, false],
    ["does not run", {}, false, true],
    ["does not run", {}, false, false],
  ] as const)("describe() says that it %s", (said, more, running, current) => {
    expect(describeAgent(status(more), running, current).split("\n")[0]).toBe(`Agent of host 3 (host7, qemu), process 77: ${said}`);
  });

  test("describe() says that libvirt is not asked or heard, and which VMs are passed by, between the counts and the loops", () => {
    expect(describeAgent(status({ states: "processes", quarantined: [{ name: "one-1", uuid: "u-1" }, { name: "one-2", uuid: "u-2" }], listening: false, loops: [] }), true, true).split("\n").slice(1)).toEqual([
      "As of 2026-01-02T03:04:05.000Z: 40 messages sent, 2 failed; 7 events, not listening",
      "libvirt does not answer: states come from processes and pid files",
      "Not asked for statistics, because their QEMU did not answer: one-1, one-2",
    ]);
  });
});
