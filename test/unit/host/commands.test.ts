import { describe, expect, test } from "bun:test";
import { Deadline } from "../../../src/core/deadline.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { cleanEnvironment, HostCommands, quoted } from "../../../src/host/commands.ts";
import { SudoHelpers } from "../../../src/host/root-helpers.ts";
import { FakeCommands } from "../../fakes/host.ts";

const commands = new HostCommands();
const within = (seconds: number) => Deadline.after(seconds, systemClock);
const sh = (script: string, seconds = 20) => commands.run(["sh", "-c", script], within(seconds));
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(() => "no error", (error: unknown) => (error instanceof OnevirtError ? `${error.code}: ${error.message}` : error));
}

describe("HostCommands", () => {
  test("HostCommands gives output and exit code; a non-zero one is a result", async () => {
    expect(await sh("echo out; echo err >&2; exit 7")).toEqual({ exitCode: 7, stdout: "out\n", stderr: "err\n" });
  });

  test("HostCommands counts a signal as a shell does", async () => {
    expect([(await sh("kill -9 $$")).exitCode, (await sh("kill -15 $$")).exitCode]).toEqual([137, 143]);
  });

  test("HostCommands hands words on as they are, without a shell, a terminal or input", async () => {
    const { stdout } = await commands.run(["printf", "%s|", "a b", "$(id)", "*", "", "'\""], within(20));
    expect([stdout, (await sh("cat; test -t 0 || echo none; pwd")).stdout]).toEqual(["a b|$(id)|*||'\"|", "none\n/\n"]);
  });

  test("HostCommands says what cannot be started", async () => {
    expect(await errorOf(commands.run(["/nowhere/program", "a b"], within(5)))).toMatch(/^COMMAND_FAILED: Cannot run \/nowhere\/program "a b": /);
  });

  test("HostCommands ends a program at the deadline, also one that does not listen to TERM", async () => {
    const start = performance.now();
    const outcomes = await Promise.all([errorOf(sh("exec sleep 60", 0.2)), errorOf(sh("trap '' TERM; while :; do sleep 0.05; done", 0.2))]);
    expect([outcomes.map((each) => String(each).slice(0, 20)), performance.now() - start < 10_000]).toEqual([["TIMED_OUT: Cannot ru", "TIMED_OUT: Cannot ru"], true]);
  });

  test("HostCommands starts nothing when no time is left", async () => {
    expect(await errorOf(commands.run(["/nowhere/program"], within(0)))).toBe("TIMED_OUT: Cannot run /nowhere/program: it did not end in time");
  });

  test("HostCommands does not wait for a grandchild that holds the pipe, and keeps what was said", async () => {
    const start = performance.now();
    const { stdout, exitCode } = await sh("sleep 60 & echo $!");
    const took = performance.now() - start;
    const pid = Number(stdout);
    expect([exitCode, isAlive(pid), took < 10_000]).toEqual([0, true, true]);
    process.kill(pid, "SIGKILL");
  });

  test("HostCommands keeps 8 MiB of a huge output, and lets the program end", async () => {
    const { stdout, exitCode } = await sh("head -c 20000000 /dev/zero | tr '\\0' x; exit 3");
    expect([exitCode, stdout.length]).toEqual([3, 8 * 1024 * 1024]);
  });

  test("cleanEnvironment() speaks C, finds the system's programs first, and never turns our executable into Bun", () => {
    process.env.BUN_BE_BUN = "1";
    process.env.MIMALLOC_ALLOW_THP = "1";
    const environment = cleanEnvironment();
    delete process.env.BUN_BE_BUN;
    delete process.env.MIMALLOC_ALLOW_THP;
    expect([environment.LANG, environment.LC_ALL, environment.PATH?.startsWith("/bin:/sbin:/usr/bin:"), environment.BUN_BE_BUN, environment.MIMALLOC_ALLOW_THP]).toEqual(["C", "C", true, undefined, undefined]);
  });

  test("quoted() shows words as words", () => {
    expect(quoted(["qemu-img", "-U", "a b", "x\n", ""])).toBe('qemu-img -U "a b" "x\\n" ""');
  });
});

describe("SudoHelpers", () => {
  const helpers = (program: FakeCommands) => new SudoHelpers(program, { sudo: ["sudo", "-n"], vgpu: "/one/vgpu", vtpm: "/one/vtpm" });

  test("SudoHelpers call exactly what sudoers allows", async () => {
    const program = new FakeCommands();
    for (const line of ["sudo -n /one/vgpu CREATE /vm.xml", "sudo -n /one/vgpu DELETE /vm.xml", "sudo -n /one/vtpm backup u /d", "sudo -n /one/vtpm recover u /d", "sudo -n sysctl vm.drop_caches=3 vm.compact_memory=1"]) program.on(line, {});
    const root = helpers(program);
    await root.vgpu("create", "/vm.xml", within(1));
    await root.vgpu("delete", "/vm.xml", within(1));
    await root.tpm("backup", "u", "/d", within(1));
    await root.tpm("recover", "u", "/d", within(1));
    await root.compactMemory(within(1));
    expect(program.calls.length).toBe(5);
  });

  test("SudoHelpers fail with the last line that was said", async () => {
    const program = new FakeCommands().on("sudo -n /one/vgpu CREATE /vm.xml", { exitCode: 1, stderr: "noise\nDirectory 'x' does not exist\n" }).on("sudo -n /one/vtpm backup u /d", { exitCode: 1 });
    expect([await errorOf(helpers(program).vgpu("create", "/vm.xml", within(1))), await errorOf(helpers(program).tpm("backup", "u", "/d", within(1)))]).toEqual([
      `COMMAND_FAILED: Cannot run "/one/vgpu CREATE /vm.xml" with sudo: Directory 'x' does not exist`, 'COMMAND_FAILED: Cannot run "/one/vtpm backup u /d" with sudo: exit code 1',
    ]);
  });
});
