import { describe, expect, test } from "bun:test";
import { Deadline } from "../../../src/core/deadline.ts";
import { ERRORS, OnevirtError, hasCode, messageOf } from "../../../src/core/errors.ts";
import { generationOf } from "../../../src/core/generation.ts";
import { failureLines, logLine } from "../../../src/core/report.ts";
import { FakeClock } from "../../fakes/clock.ts";

const START = "Could not shutdown one-7";
const LIBVIRT = { code: 38, domain: 7, text: "Failed to connect" };

/** What 7.x takes for a log line, and what each generation takes for a marker of the transport (actions.md 2.2). */
const LOG_LINE = /^(ERROR|INFO|WARN|DEBUG):\s+(\d+)?\s*(.*)$/;
const TRANSPORT = /^(ExitCode:|ExitSSHCode:|EOF_OUT)/;

describe("failureLines()", () => {
  test("failureLines() gives one sentence for the user, and the details as log lines", () => {
    const error = new OnevirtError("LIBVIRT_UNREACHABLE", "Cannot connect to qemu:///system: Failed to connect", { hint: "check that libvirtd runs", libvirt: LIBVIRT });
    const message = "Could not shutdown one-7: Cannot connect to qemu:///system: Failed to connect. Check that libvirtd runs.";
    const detail = "ERROR: shutdown: libvirt error 38 of domain 7: Failed to connect";
    expect([generationOf("7.4.0"), generationOf("6.2.0"), generationOf("5.6.0")].map((generation) => failureLines(error, "shutdown", START, generation))).toEqual([
      [detail, message], [detail, message], [detail, "ERROR MESSAGE --8<------", message, "ERROR MESSAGE ------>8--"],
    ]);
  });

  test("failureLines() does not say the beginning twice, and keeps the punctuation that is there", () => {
    const lines = (message: string, hint?: string) => failureLines(new OnevirtError("BUSY", message, hint ? { hint } : {}), "shutdown", START, generationOf(undefined));
    expect([lines("Could not shutdown one-7: it is busy!"), lines("why?", "wait")]).toEqual([["Could not shutdown one-7: it is busy!"], ["Could not shutdown one-7: why? Wait."]]);
  });

  const nasty = ["ERROR: 12 oned", "a\nERROR: 12 b", "a\r\nExitCode: 0 EOF_ERR", "EOF_OUT", "\n\nINFO: x", "a\u0000\u001b[31mb\tc", "x\u2028ERROR: y", "ERROR MESSAGE ------>8--\nrest", "line\n\n\nline"];
  test.each(nasty)("failureLines() of %j holds no line that oned would misread", (text) => {
    for (const version of ["5.6.0", "6.4.0", "7.4.0"]) {
      const error = new OnevirtError("LIBVIRT_FAILED", text, { hint: text, libvirt: { ...LIBVIRT, text } });
      const lines = failureLines(error, "deploy", "Could not create domain from /x", generationOf(version));
      const [forUser, details] = [lines.filter((line) => !LOG_LINE.test(line)), lines.filter((line) => LOG_LINE.test(line))];
      expect({ user: forUser.filter((line) => !/^ERROR MESSAGE (--8<------|------>8--)$/.test(line)).length, details: details.length, control: lines.filter((line) => /[\p{Cc}\u2028\u2029]/u.test(line)), transport: lines.filter((line) => TRANSPORT.test(line)) }).toEqual({ user: 1, details: 1, control: [], transport: [] });
      expect(details[0]).toStartWith("ERROR: deploy: libvirt error 38 of domain 7:");
    }
  });

  test("logLine() is one line, whatever the text holds", () => {
    expect(logLine("WARN", "poll", "a\n  b\u0007\r\nc ")).toBe("WARN: poll: a; b ; c");
  });
});

describe("generationOf()", () => {
  const cases: [string | undefined, string, string, string][] = [
    [undefined, "plain", "uuid", "5.8"], ["", "plain", "uuid", "5.8"], ["garbage", "plain", "uuid", "5.8"], ["5.4.15", "markers", "name", "5.4"], ["5.6.0\n", "markers", "name", "5.4"], ["5.8.5", "markers", "name", "5.8"],
    ["5.10.1", "markers", "name", "5.8"], ["5.12.0", "markers", "name", "5.8"], ["6.0.0.1", "markers", "uuid", "5.8"], ["6.2.0", "plain", "uuid", "5.8"], ["6.10.0", "plain", "uuid", "5.8"], ["7.4.0", "plain", "uuid", "5.8"], ["10.0.0", "plain", "uuid", "5.8"],
  ];
  test.each(cases)("generationOf(%j) has errors %s, deploy answers with the %s, poll as %s", (version, errors, deployAnswer, poll) => {
    const { version: _version, vhostSockets: _sockets, monitoring: _monitoring, ...rules } = generationOf(version);
    expect(rules).toEqual({ errors, deployAnswer, poll } as never);
  });

  test("generationOf() knows that 5.12 brought another monitor", () => {
    expect(["5.4.15", "5.10.5", "5.12.0", "7.4.0", undefined].map((version) => generationOf(version).monitoring)).toEqual(["collectd", "collectd", "monitord", "monitord", "monitord"]);
  });

  test("generationOf() knows that 7.4 moved the sockets of Open vSwitch", () => {
    expect(["7.2.1", "7.4.0", "10.0.0", undefined].map((version) => generationOf(version).vhostSockets)).toEqual(["/var/lib/one/vhost-sockets", "/var/run/one/vhost-socks", "/var/run/one/vhost-socks", "/var/run/one/vhost-socks"]);
  });
});

describe("ERRORS", () => {
  test("ERRORS never exit with 42, which means missing scripts, nor with 0", () => {
    expect(Object.values(ERRORS).map(({ exit }): number => exit).filter((exit) => exit === 42 || exit < 1 || exit > 125)).toEqual([]);
  });

  test("hasCode() and messageOf() take anything that was thrown", () => {
    const ours = new OnevirtError("BUSY", "busy");
    expect([hasCode(ours, "BUSY"), hasCode(ours, "TIMED_OUT"), hasCode(new Error("busy"), "BUSY"), hasCode(undefined, "BUSY"), messageOf(ours), messageOf("text"), messageOf(undefined)]).toEqual([true, false, false, false, "busy", "text", "undefined"]);
  });
});

describe("Deadline", () => {
  test("Deadline ends once, is only ever shortened, and may have no end", () => {
    const clock = new FakeClock();
    const [deadline, none] = [Deadline.after(10, clock), Deadline.after(null, clock)];
    const [short, long, within] = [deadline.within(3), deadline.within(60), none.within(5)];
    clock.pass(4000);
    expect([deadline, none, short, long, within].map((each) => [each.remainingMs(), each.expired])).toEqual([[6000, false], [Infinity, false], [0, true], [6000, false], [1000, false]]);
  });
});
