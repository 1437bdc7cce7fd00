import { describe, expect, test } from "bun:test";
import { OnevirtError, type ErrorCode } from "../../../src/core/errors.ts";
import { settle, type Look } from "../../../src/vm/outcome.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { FakeLog } from "../../fakes/host.ts";

const DONE: Look = { now: "done" };
const NOT_DONE: Look = { now: "not done", because: "libvirt has no such domain" };
const UNKNOWN: Look = { now: "unknown", because: "libvirt cannot be asked" };

async function settled(call: () => Promise<string>, found: Look, kind: { repeatable?: true } = { repeatable: true }): Promise<{ result: unknown; looks: number; lookMs: number; log: readonly string[] }> {
  const [clock, log] = [new FakeClock(), new FakeLog()];
  let [looks, lookMs] = [0, 0];
  const look = async (deadline: { remainingMs(): number }) => {
    looks++;
    lookMs = deadline.remainingMs();
    return found;
  };
  const result = await settle({ doing: 'destroy "one-7"', call, look, ...kind }, { clock, log, lookSeconds: 5 }).catch((error: OnevirtError) => `${error.code}: ${error.message}`);
  return { result, looks, lookMs, log: log.lines };
}
const failing = (code: ErrorCode) => () => Promise.reject(new OnevirtError(code, "Cannot destroy: scripted"));

describe("settle()", () => {
  test("settle() gives the answer of a call that answered, and does not look", async () => {
    expect(await settled(async () => "answer", UNKNOWN)).toEqual({ result: "answer", looks: 0, lookMs: 0, log: [] });
  });

  test.each(["DOMAIN_NOT_FOUND", "INVALID_STATE", "LIBVIRT_FAILED", "LIBVIRT_UNREACHABLE", "BUSY"] as const)("settle() hands on %s: libvirt has answered, or was never asked", async (code) => {
    expect(await settled(failing(code), DONE)).toEqual({ result: `${code}: Cannot destroy: scripted`, looks: 0, lookMs: 0, log: [] });
  });

  test.each(["TIMED_OUT", "CONNECTION_LOST"] as const)("settle() after %s looks again, with time of its own, and believes what it sees done", async (code) => {
    expect(await settled(failing(code), DONE)).toEqual({ result: undefined, looks: 1, lookMs: 5000, log: ["WARN: Cannot destroy: scripted; looked again: done"] });
  });

  test("settle() of a call that may not be repeated never says not done: a daemon that dropped only us may still go on", async () => {
    expect((await settled(failing("CONNECTION_LOST"), NOT_DONE, {})).result).toBe('OUTCOME_UNKNOWN: Outcome unknown: destroy "one-7": Cannot destroy: scripted; now libvirt has no such domain');
  });

  const verdicts: [ErrorCode, Look, string][] = [
    ["TIMED_OUT", NOT_DONE, 'OUTCOME_UNKNOWN: Outcome unknown: destroy "one-7": Cannot destroy: scripted; now libvirt has no such domain'],
    ["TIMED_OUT", UNKNOWN, 'OUTCOME_UNKNOWN: Outcome unknown: destroy "one-7": Cannot destroy: scripted; now libvirt cannot be asked'],
    ["CONNECTION_LOST", NOT_DONE, 'NOT_DONE: Cannot destroy "one-7": the connection to libvirt broke, and libvirt has no such domain'],
    ["CONNECTION_LOST", UNKNOWN, 'OUTCOME_UNKNOWN: Outcome unknown: destroy "one-7": Cannot destroy: scripted; now libvirt cannot be asked'],
  ];
  test.each(verdicts)("settle() after %s, when the look has found something, says so: an abandoned call may still take effect", async (code, found, message) => {
    expect((await settled(failing(code), found)).result).toBe(message);
  });
});
