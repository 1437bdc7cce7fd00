import { describe, expect, test } from "bun:test";
import { run as exec } from "../../../src/actions/exec.ts";
import { run as cancel } from "../../../src/actions/exec-cancel.ts";
import { shellWords } from "../../../src/codec/shell-words.ts";
import { Deadline } from "../../../src/core/deadline.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import { collectResults } from "../../../src/vm/guest-exec.ts";
import { given, type Given, type World } from "../../fakes/world.ts";
import { UUID } from "./document.ts";
import { outcomeOf } from "./outcome-of.ts";

const PID_FILE = "/var/run/one/one-7";
const VM = { name: "one-7", uuid: UUID };

const runExec = (world: World, command: string, stdin?: string) => exec({ arguments: { vmid: "7", host: "h", command, ...(stdin === undefined ? {} : { stdin }) }, stdin: "" }, world);
const runCancel = (world: World) => cancel({ arguments: { vmid: "7", host: "h" }, stdin: "" }, world);

/** A guest whose agent runs commands as process 120, and says so of their end. */
function guest(status: unknown = { exited: false }, more: Given = {}): World {
  const world = given({ domains: [VM], ...more });
  world.hypervisor.parts.agent.set("guest-exec", { pid: 120 });
  world.hypervisor.parts.agent.set("guest-exec-status", status);
  return world;
}

const asked = (world: World) => world.hypervisor.parts.asked.map((text) => JSON.parse(text) as { execute: string; arguments: Record<string, unknown> });

describe("exec", () => {
  test("exec starts the command and keeps its pid, digits and nothing else", async () => {
    using world = guest();
    expect([await outcomeOf(runExec(world, "/bin/ls -l /tmp", "aGVsbG8K")), asked(world), world.files.texts()]).toEqual([
      { answer: "" }, [{ execute: "guest-exec", arguments: { path: "/bin/ls", arg: ["-l", "/tmp"], "capture-output": true, "input-data": "aGVsbG8K" } }], { [PID_FILE]: "120" },
    ]);
  });

  test("17.1 row 13: exec hands quotes of the command to the guest, never to a shell", async () => {
    using world = guest();
    await runExec(world, `sh -c 'echo "a b" '"'"'$(id) ; reboot' "x\\"y" \\$HOME`);
    expect([asked(world)[0]?.arguments, world.commands.calls]).toEqual([{ path: "sh", arg: ["-c", `echo "a b" '$(id) ; reboot`, 'x"y', "$HOME"], "capture-output": true }, []]);
  });

  const refused: [string, string, string | undefined][] = [["an empty command", "", undefined], ["a quote without end", "echo 'x", undefined], ["input that is not base64", "cat", "a b"]];
  test.each(refused)("exec refuses %s, and asks nobody", async (_what, command, stdin) => {
    using world = guest();
    expect([((await outcomeOf(runExec(world, command, stdin))) as string[])[0], asked(world)]).toEqual(["BAD_ARGUMENT", []]);
  });

  test("exec does not overwrite a command that still runs", async () => {
    using world = guest({ exited: false }, { files: { [PID_FILE]: "99" } });
    expect([await outcomeOf(runExec(world, "date")), world.files.texts()]).toEqual([["INVALID_STATE", "a command is running in the guest already, with guest pid 99"], { [PID_FILE]: "99" }]);
  });

  test("exec takes the place of a command whose end nobody collected", async () => {
    using world = guest({ exited: true, exitcode: 0 }, { files: { [PID_FILE]: "99" } });
    expect([await outcomeOf(runExec(world, "date")), world.files.texts()]).toEqual([{ answer: "" }, { [PID_FILE]: "120" }]);
  });

  test("exec in a guest whose agent is silent is one clear error, and leaves no pid", async () => {
    using world = given({ domains: [VM] });
    expect([await outcomeOf(runExec(world, "date")), world.files.texts()]).toEqual([["AGENT_UNRESPONSIVE", `Cannot ask the guest agent of domain ${UUID}: QEMU guest agent is not connected`], {}]);
  });
});

describe("exec_cancel", () => {
  test("exec_cancel kills the process and forgets it", async () => {
    using world = guest(undefined, { files: { [PID_FILE]: "99" } });
    expect([await outcomeOf(runCancel(world)), asked(world)[0]?.arguments, world.files.texts()]).toEqual([{ answer: "" }, { path: "kill", arg: ["-9", "99"], "capture-output": true }, {}]);
  });

  test("exec_cancel without a command succeeds, also when there is no VM", async () => {
    using world = given();
    expect([await outcomeOf(runCancel(world)), world.hypervisor.calls]).toEqual([{ answer: "" }, []]);
  });

  test("exec_cancel in a guest that cannot kill is an error, and the command stays known", async () => {
    using world = given({ domains: [VM], files: { [PID_FILE]: "99" } });
    expect([((await outcomeOf(runCancel(world))) as string[])[0], world.files.texts()]).toEqual(["AGENT_UNRESPONSIVE", { [PID_FILE]: "99" }]);
  });
});

describe("collectResults()", () => {
  test("collectResults() reports what has ended, and forgets it", async () => {
    using world = guest({ exited: true, exitcode: 3, "out-data": "aGVsbG8K", "err-data": "b29wcwo=" }, { files: { [PID_FILE]: "120\n" } });
    expect([await collectResults(world, world.deadline), world.files.texts()]).toEqual(['VM = [ ID="7", PID="120", STATUS="DONE", RETURN_CODE="3", STDOUT="aGVsbG8K", STDERR="b29wcwo=" ]\n', {}]);
  });

  test("collectResults() leaves what still runs, and counts a signal as a shell does", async () => {
    using running = guest({ exited: false }, { files: { [PID_FILE]: "120" } });
    using killed = guest({ exited: true, signal: 9 }, { files: { [PID_FILE]: "120" } });
    expect([await collectResults(running, running.deadline), running.files.texts(), await collectResults(killed, killed.deadline)]).toEqual(["", { [PID_FILE]: "120" }, 'VM = [ ID="7", PID="120", STATUS="DONE", RETURN_CODE="137", STDOUT="", STDERR="" ]\n']);
  });

  test("collectResults() reports a command that the guest no longer knows as an error, once", async () => {
    using world = guest(() => {
      throw new OnevirtError("LIBVIRT_FAILED", "Cannot ask: internal error: unable to execute QEMU agent command 'guest-exec-status': Invalid parameter 'pid'");
    }, { files: { [PID_FILE]: "120" } });
    expect([await collectResults(world, world.deadline), world.files.texts()]).toEqual(['VM = [ ID="7", PID="120", STATUS="ERROR", RETURN_CODE="-1", STDOUT="", STDERR="" ]\n', {}]);
  });

  test("collectResults() is not held up by a guest that is silent, and keeps its command", async () => {
    using world = given({ domains: [VM, { name: "one-8", uuid: "bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee" }], files: { [PID_FILE]: "120", "/var/run/one/one-8": "7" } });
    world.hypervisor.parts.agent.set("guest-exec-status", { exited: true, exitcode: 0 });
    world.hypervisor.fails("guest.command", "AGENT_UNRESPONSIVE");
    expect([await collectResults(world, world.deadline), Object.keys(world.files.texts())]).toEqual(['VM = [ ID="8", PID="7", STATUS="DONE", RETURN_CODE="0", STDOUT="", STDERR="" ]\n', [PID_FILE]]);
  });

  /** As one thread of libvirt serves them: whoever is behind a guest that is silent has used up his time when it is abandoned. */
  function oneThread(world: World, silent: (uuid: string) => boolean): void {
    let busy = false;
    Object.assign(world.hypervisor, { guest: { command: async (uuid: string) => {
      const tooLate = busy || silent(uuid);
      const isBehind = busy;
      busy ||= silent(uuid);
      await Promise.resolve();
      if (!tooLate) return JSON.stringify({ return: { exited: true, exitcode: 0 } });
      if (!isBehind) world.clock.pass(5000), busy = false;
      throw new OnevirtError("TIMED_OUT", "no answer");
    } } });
  }

  test("collectResults() never came to a guest that is behind two silent ones; now each has a turn, and none less than its time", async () => {
    const vms = [1, 2, 3, 4].map((id) => ({ name: `one-${id}`, uuid: `bbbbbbbb-bbbb-4ccc-8ddd-00000000000${id}` }));
    using world = given({ domains: vms, files: Object.fromEntries(vms.map(({ name }, index) => [`/var/run/one/${name}`, String(index)])) });
    oneThread(world, (uuid) => !uuid.endsWith("4"));
    const passes = [await collectResults(world, Deadline.after(30, world.clock)), await collectResults(world, Deadline.after(30, world.clock))];
    expect([passes, world.clock.monotonicMs(), Object.keys(world.files.texts())]).toEqual([["", 'VM = [ ID="4", PID="3", STATUS="DONE", RETURN_CODE="0", STDOUT="", STDERR="" ]\n'], 20_000, [1, 2, 3].map((id) => `/var/run/one/one-${id}`)]);
    expect([await collectResults(world, Deadline.after(8, world.clock)), world.clock.monotonicMs()]).toEqual(["", 20_000]);
  });

  test("collectResults() lets no output of a guest leave its field", async () => {
    using world = guest({ exited: true, exitcode: 0, "out-data": 'x" ] VM = [ ID="1', "err-data": 7 }, { files: { [PID_FILE]: "120" } });
    expect(await collectResults(world, world.deadline)).toBe('VM = [ ID="7", PID="120", STATUS="DONE", RETURN_CODE="0", STDOUT="", STDERR="" ]\n');
  });
});

describe("shellWords()", () => {
  test.each([
    ["a b  c", ["a", "b", "c"]], ["", []], ["  ", []], ["''", [""]], [`a'b c'd`, ["ab cd"]], [`"a\\"b" 'c\\d'`, ['a"b', "c\\d"]], ["a\\ b", ["a b"]], [`"a\\nb"`, ["a\\nb"]], ["a;b|c", ["a;b|c"]],
  ])("shellWords() of %j", (line, words) => {
    expect(shellWords(line)).toEqual(words);
  });
});
