import { describe, expect, test } from "bun:test";
import { type AgentStatus, isCurrent, notBefore, quarantined, readStatus, STATUS_NAME } from "../../../src/agent/status.ts";
import { FakeState } from "../../fakes/host.ts";

const NOW = 1_700_000_000_000;
const status = (more: Partial<AgentStatus> = {}): AgentStatus => ({
  pid: 1, driver: "kvm", hostId: 3, hostName: "h", build: "b", writtenAt: new Date(NOW).toISOString(), healthy: true, states: "libvirt", quarantined: [],
  loops: [{ category: "host/beacon", periodSeconds: 30, ageSeconds: 1, lastProblem: undefined }], messages: { sent: 1, failed: 0 }, latestMessage: NOW / 1000, events: 0, listening: true, ...more,
});

function kept(value: unknown, name = STATUS_NAME): FakeState {
  const state = new FakeState();
  state.write(name, value);
  return state;
}

describe("status of an agent", () => {
  test("isCurrent() until three beacons are missing; a clock that went back makes nothing old", () => {
    expect([NOW, NOW + 90_000, NOW + 91_000, NOW - 3_600_000].map((now) => isCurrent(status(), now))).toEqual([true, true, false, true]);
  });

  test("notBefore() is after all that the agent before may have sent, when the clock has gone back, and for the same host only", () => {
    const state = kept(status());
    const slow = kept(status({ loops: [{ category: "host/beacon", periodSeconds: 300, ageSeconds: 1, lastProblem: undefined }] }));
    expect([notBefore(state, 3, NOW - 3_600_000), notBefore(slow, 3, NOW - 3_600_000), notBefore(state, 3, NOW + 1000), notBefore(state, 4, NOW - 3_600_000), notBefore(new FakeState(), 3, NOW)]).toEqual([1_700_000_060, 1_700_000_600, 0, 0, 0]);
  });

  test("quarantined() names those whose time has not come, whatever stands in the file", () => {
    expect([kept({ a: { until: NOW + 1, name: "one-1" }, b: { until: NOW - 1 }, c: { until: "x" }, d: null }, "quarantine"), kept("x", "quarantine"), kept(null, "quarantine"), new FakeState()].map((state) => quarantined(state, NOW))).toEqual([[{ name: "one-1", uuid: "a" }], [], [], []]);
  });

  test("readStatus() of a host where no agent has run is undefined", () => {
    expect(readStatus(new FakeState())).toBeUndefined();
  });
});
