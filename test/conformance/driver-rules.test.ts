import { describe, expect, test } from "bun:test";
import { NIC, requestLine } from "../fixtures/driver-message.ts";
import type { MessageParts } from "../fixtures/driver-message.ts";
import { addedCleanUps } from "./driver-clean-ups.ts";
import { compared, unexplained } from "./driver-expectation.ts";
import { localActions } from "./driver-front-end.ts";
import { violations } from "./driver-invariants.ts";
import { replay } from "./driver-replay.ts";
import { isEndedInFlight, requestsOf } from "./driver-requests.ts";
import { expectedLines } from "./driver-rules.ts";
import type { Scenario } from "./driver-scenario.ts";

// The rules by which any recording is replayed, on conversations of our own: what they ask must depend on the recording only.

const NICS = `${NIC}<NIC><VN_MAD></VN_MAD></NIC><NIC><VN_MAD>elastic</VN_MAD></NIC>`;
const ATTACHED = "<NIC><ATTACH>YES</ATTACH><MAC>02:00:00:00:00:09</MAC><VN_MAD>bridge</VN_MAD></NIC>";
const MIGRATION: MessageParts = { destination: "node2", command: "MIGRATE local node1 node2 /d 7 0\n", template: NICS };

function scenario(parts: Partial<Scenario>): Scenario {
  return { name: "of-our-own", arguments: "-t 15 -r 0 kvm -p", stdin: [], stdout: [], stubs: [], calls: [], copies: 0, callsBeforeCopy: 0, forwarding: [], ...parts };
}

function line(action: string, id: number, parts: MessageParts = {}): string {
  return requestLine(action, id, parts).trimEnd();
}

const failed = (id: number, driver: string, step: string): string => `LOG I ${id} Failed to execute ${driver} operation: ${step}.`;

describe("clean-ups of 18.15", () => {
  const calm = line("RESIZE", 11);

  test("are those of the request that failed, wherever it stands", () => {
    const stdout = ["INIT SUCCESS - -", "RESIZE SUCCESS 11 -", failed(12, "network driver", "pre"), "MIGRATE FAILURE 12  bridge: x", failed(13, "virtualization driver", "attach_nic"), "ATTACHNIC FAILURE 13 y"];
    const stdin = ["INIT", calm, line("MIGRATE", 12, MIGRATION), line("ATTACHNIC", 13, { host: "node3", template: ATTACHED }), "FINALIZE"];
    expect(addedCleanUps(scenario({ stdin, stdout }))).toEqual({
      calls: ["node2 vnm/bridge/clean", "LOCAL vnm/elastic/clean", "LOCAL tm/local/failmigrate", "node3 vnm/bridge/clean"],
      lines: [
        "LOG I 12 Successfully execute network driver operation: clean.",
        "LOG I 12 Successfully execute transfer manager driver operation: tm_failmigrate.",
        "LOG I 13 Successfully execute network driver operation: clean.",
      ],
    });
  });

  test("run where -l puts them, with the script that it names; one that fails says so", () => {
    const stdin = [line("ATTACHNIC", 7, { template: ATTACHED }), "FINALIZE"];
    const stdout = ["INIT SUCCESS - -", failed(7, "virtualization driver", "reconfigure"), "ATTACHNIC FAILURE 7 -"];
    const stubs = [{ script: "vnm/bridge/clean", exit: 1, stderr: "WARN: gone\nword\n" }];
    expect(addedCleanUps(scenario({ stdin, stdout, stubs, arguments: "-l x -lclean,detachnic=mine kvm" }))).toEqual({
      calls: ["LOCAL vmm/kvm/mine", "LOCAL vnm/bridge/clean"],
      lines: [
        "LOG I 7 Successfully execute virtualization driver operation: detach_nic.",
        "LOG I 7 Command execution failed /var/lib/one/remotes/vnm/bridge/clean", "LOG W 7 gone", "LOG I 7 word",
        "LOG I 7 Failed to execute network driver operation: clean.",
      ],
    });
  });

  test.each<[string, string, MessageParts]>([["SUCCESS", "migrate", MIGRATION], ["FAILURE", "tm_premigrate", MIGRATION], ["FAILURE", "migrate", { ...MIGRATION, destination: "node1" }]])("are none for %s, %s", (status, step, parts) => {
    expect(addedCleanUps(scenario({ stdin: [line("MIGRATE", 7, parts)], stdout: ["INIT SUCCESS - -", failed(7, "a driver", step), `MIGRATE ${status} 7 -`] })).calls).toEqual([]);
  });
});

test.each([["-l deploy kvm", ["deploy"]], ["--loc=a_b,C=d kvm", ["ab", "c"]], ["-t 15 --local resize -l poll kvm", ["poll"]], ["-t 15 kvm -p", []]])("%s", (words, names) => {
  expect([...localActions(words).keys()]).toEqual(names);
});

describe("what became of a request is read from the recording", () => {
  const slow = [{ script: "vmm/kvm/resize", sleep_s: 2 }];
  const calls = [{ host: "node1", path: "/var/tmp/one/vmm/kvm/resize", arguments: ["one-7", "1", "node1"], stdin: "" }];
  const answered = ["INIT SUCCESS - -", "RESIZE SUCCESS 1 -"];

  test("answered, cancelled, refused, silent; nothing is asked behind FINALIZE", () => {
    const stdin = ["INIT", line("RESIZE", 1), line("resize", 2), "DRIVER_CANCEL  2 ", "RESIZE  3", line("RESIZE", 4), "FROB  5 x", "FINALIZE", line("RESIZE", 6)];
    expect(requestsOf(scenario({ stdin, stdout: answered })).map(({ id, fate }) => `${id} ${fate}`)).toEqual(["1 answered", "2 cancelled", "3 refused", "4 silent"]);
  });

  test("ended in flight: by requests behind the end or by slow work without an answer, never by a name", () => {
    const [one, two] = [line("RESIZE", 1), line("RESIZE", 2)];
    const ends = (stdin: readonly string[], stubs = slow): boolean => isEndedInFlight(scenario({ name: "finalize-not", stdin, stubs, calls, stdout: answered }));
    expect([ends([one, "FINALIZE"]), ends([one, two, "FINALIZE"]), ends([one, two, "FINALIZE"], []), ends([one, "FINALIZE", two])]).toEqual([false, true, false, true]);
  });

  test("a line with a severity belongs to the VM whose script said it", () => {
    const stdin = [line("RESIZE", 1), line("RESIZE", 2), "FINALIZE"];
    const stdout = ["INIT SUCCESS - -", "LOG E 2 gone", "LOG E -1 gone", "LOG I -1 hi", "RESIZE FAILURE 2 -", "RESIZE SUCCESS 1 -"];
    expect(expectedLines(scenario({ stdin, stdout, calls, stubs: [{ script: "vmm/kvm/resize", stderr: "INFO: hi\n" }] })).lines).toEqual(["INIT SUCCESS - -", "LOG E 2 gone", "LOG I 1 hi", "RESIZE FAILURE 2 -", "RESIZE SUCCESS 1 -"]);
  });
});

describe("nothing passes whatever happens", () => {
  const asked = scenario({ stdin: ["INIT", line("RESIZE", 1), line("RESIZE", 2), "DRIVER_CANCEL  2 ", "FINALIZE"], stdout: ["INIT SUCCESS - -", "RESIZE SUCCESS 1 -"] });
  const well = { lines: ["INIT SUCCESS - -", "LOG I 2 Driver command for 2 cancelled", "RESIZE SUCCESS 1 -"], calls: [], connections: [], status: 0, left: [] };

  test.each([
    ["a second answer", { lines: [...well.lines, "RESIZE FAILURE 1 x"] }, "2 results for RESIZE 1, not 1"],
    ["no answer", { lines: well.lines.slice(0, 2) }, "0 results for RESIZE 1, not 1"],
    ["an answer after a cancel", { lines: [...well.lines, "RESIZE SUCCESS 2 -"] }, "1 results for RESIZE 2, not 0"],
    ["a line that is none", { lines: [...well.lines, "more"] }, 'badly framed: "more"'],
    ["a line about a stranger", { lines: [...well.lines, "LOG I 3 x"] }, 'badly framed: "LOG I 3 x"'],
    ["a process left behind", { left: ["12 sleep"] }, "left behind: 12 sleep"],
    ["a bad end", { status: 1 }, "exit status 1"],
  ])("%s is a violation", (_, change, text) => {
    expect(violations(asked, well)).toEqual([]);
    expect(violations(asked, { ...well, ...change })).toEqual([text]);
  });

  test("a request that cannot be read must not succeed", () => {
    const unreadable = scenario({ stdin: ["INIT", "RESIZE  1 AAAA", "FINALIZE"], stdout: ["INIT SUCCESS - -"] });
    expect(violations(unreadable, { ...well, lines: ["INIT SUCCESS - -", "RESIZE SUCCESS 1 -"] })).toEqual(["cannot be read, and succeeds: RESIZE 1"]);
    expect(violations(unreadable, { ...well, lines: ["INIT SUCCESS - -", "RESIZE FAILURE 1 x"] })).toEqual([]);
  });

  test("a difference needs a rule that may touch its line", () => {
    const recorded = scenario({ stdin: [line("CANCEL", 1)], stdout: ["INIT SUCCESS - -", "LOG I 1 ExitCode: 0", "CANCEL SUCCESS 1 a"] });
    const ours = { lines: ["INIT SUCCESS - -", "CANCEL SUCCESS 1 b"] };
    expect(unexplained(recorded, ours, ["exitCodeLines"])).toEqual(["CANCEL SUCCESS 1 a", "CANCEL SUCCESS 1 b"]);
    expect(unexplained(recorded, ours, [])).toEqual(["LOG I 1 ExitCode: 0", "CANCEL SUCCESS 1 a", "CANCEL SUCCESS 1 b"]);
  });
});

describe("our driver under these rules", () => {
  test("the second of two requests fails, a third one is cancelled while it runs", async () => {
    const own = scenario({
      stdin: ["INIT", line("RESIZE", 1), line("ATTACHNIC", 2, { host: "node2", template: ATTACHED }), line("REBOOT", 3, { host: "node3" }), "DRIVER_CANCEL  3 ", "FINALIZE"],
      stdout: [
        "INIT SUCCESS - -", "LOG I 2 ExitCode: 0", "LOG I 2 Successfully execute network driver operation: pre.",
        "LOG I 3 Driver command for 3 cancelled", "RESIZE SUCCESS 1 -",
        "LOG I 2 Command execution fail (exit code: 4): cat << 'EOT' | /var/tmp/one/vmm/kvm/attach_nic 'one-7'", "LOG I 2 no", "LOG I 2 slot", "LOG I 2 ExitCode: 4",
        failed(2, "virtualization driver", "attach_nic"), "ATTACHNIC FAILURE 2 noslotExitCode: 4",
      ],
      stubs: [{ script: "vmm/kvm/attach_nic", exit: 4, stderr: "no\nslot\n" }, { script: "vmm/kvm/reboot", sleep_s: 30 }],
      calls: [{ host: "node3", path: "/var/tmp/one/vmm/kvm/reboot", arguments: ["one-7", "node3", "3", "node3"], stdin: "" }],
    });
    const seen = await replay(own);
    const { lines, actual, used } = compared(own, seen);
    expect([violations(own, seen), actual.lines, unexplained(own, seen, [...used])]).toEqual([[], lines, []]);
    expect(actual.lines.filter((each) => each.includes(" 2 "))).toContain("LOG I 2 Successfully execute network driver operation: clean.");
  });

  test("what waits when the end comes is begun no more", async () => {
    const calls = [{ host: "node1", path: "/var/tmp/one/vmm/kvm/resize", arguments: ["one-7", "1", "node1"], stdin: "" }];
    const own = scenario({ stdin: ["INIT", line("RESIZE", 1), line("RESIZE", 2), "FINALIZE"], stdout: ["INIT SUCCESS - -", "RESIZE SUCCESS 1 -"], calls, stubs: [{ script: "vmm/kvm/resize", sleep_s: 1 }], arguments: "-t 15 kvm" });
    const seen = await replay(own);
    expect([violations(own, seen), seen.calls.map(({ arguments: words }) => words[1])]).toEqual([[], ["1"]]);
  });
});
