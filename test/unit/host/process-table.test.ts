import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HostProcesses } from "../../../src/host/process-table.ts";

const UUID = "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE";
let root: string;
let processes: HostProcesses;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "onevirt-proc-"));
  mkdirSync(join(root, "run"));
  processes = new HostProcesses(root, join(root, "run"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A process as /proc shows it. */
function put(pid: number, commandLine: readonly string[], { name = "qemu", state = "S", start = 999, status = "VmRSS:\t  2048 kB\nVmSwap:\t  16 kB\n" } = {}): void {
  mkdirSync(join(root, String(pid)), { recursive: true });
  writeFileSync(join(root, String(pid), "cmdline"), commandLine.map((word) => `${word}\0`).join(""));
  writeFileSync(join(root, String(pid), "stat"), `${pid} (${name}) ${[state, 1, 1, 1, 0, -1, 0, 0, 0, 0, 0, 10, 20, 3, 4, 20, 0, 5, 0, start, 0, 0].join(" ")}\n`);
  writeFileSync(join(root, String(pid), "status"), `Name:\t${name}\n${status}`);
}
const pidFile = (name: string, text: string) => writeFileSync(join(root, "run", `${name}.pid`), text);
const QEMU = ["/usr/bin/qemu-system-x86_64", "-name", "guest=one-7", "-uuid", UUID, "-m", "64"];

describe("HostProcesses", () => {
  test("HostProcesses reads a QEMU by the word after -uuid, also when its name holds brackets and blanks", () => {
    put(41, QEMU, { name: "a) R 1 (b", state: "T" });
    expect([...processes.qemu()]).toEqual([[UUID.toLowerCase(), { pid: 41, uuid: UUID.toLowerCase(), name: "one-7", state: "T", residentKiB: 2048, swapKiB: 16, hugePagesKiB: 0, cpuTicks: 37, startTicks: 999 }]]);
  });

  test.each([["guest=one-7,debug-threads=on", "one-7"], ["one-7", "one-7"], ["guest=a,,b,process=c", "a,b"]])("HostProcesses reads the name of a domain from -name %s", (word, name) => {
    put(41, QEMU.map((each) => (each === "guest=one-7" ? word : each)));
    expect([...processes.qemu().values(), ...processes.qemu().values()].map((each) => each.name)).toEqual([name, name]);
  });

  test("HostProcesses reads no name of a QEMU that was given none", () => {
    put(41, ["qemu", "-uuid", UUID, "-m", "64"]);
    expect([...processes.qemu().values()].map((each) => Object.hasOwn(each, "name"))).toEqual([false]);
  });

  test("HostProcesses leaves out what only mentions a UUID, kernel threads, and what ends meanwhile", () => {
    put(42, ["grep", `-uuid ${UUID}`]);
    put(43, ["bash", "-c", `qemu -uuid ${UUID} -m 64`]);
    put(44, ["qemu", "-uuid", "short", "x"]);
    put(45, []);
    mkdirSync(join(root, "46"));
    writeFileSync(join(root, "46", "cmdline"), QEMU.map((word) => `${word}\0`).join(""));
    mkdirSync(join(root, "self"));
    expect([...processes.qemu()]).toEqual([]);
  });

  test("HostProcesses that looks again knows a QEMU that is the same, one that has its pid, one that has ended, and a child that became one", () => {
    const seen = () => [...processes.qemu().values()].map(({ pid, uuid }) => [pid, uuid.slice(0, 4)] as const).sort(([a], [b]) => a - b);
    const other = QEMU.map((word) => word.replace("AAAA", "DDDD"));
    put(41, QEMU);
    put(42, ["libvirtd"]);
    const first = seen();
    writeFileSync(join(root, "41", "cmdline"), "is not read again\0");
    put(42, other); // exec(2) keeps pid and start
    const second = seen();
    put(41, other.map((word) => word.replace("DDDD", "EEEE")), { start: 1000 });
    const third = seen();
    put(41, [], { start: 1000, state: "Z" });
    put(42, ["bash"], { start: 1001 });
    expect([first, second, third, seen()]).toEqual([[[41, "aaaa"]], [[41, "aaaa"], [42, "dddd"]], [[41, "eeee"], [42, "dddd"]], []]);
  });

  test("HostProcesses reads no swap and no memory of a process that shows none", () => {
    put(47, QEMU, { status: "" });
    expect([...processes.qemu().values()].map(({ residentKiB, swapKiB }) => [residentKiB, swapKiB])).toEqual([[0, 0]]);
  });

  test("pidFile() leads to a live QEMU only: not to a number that another process has now, and not to a zombie", () => {
    put(51, QEMU);
    put(52, ["sshd"]);
    put(53, [], { state: "Z" });
    put(54, [], { state: "D" }); // being torn down: no command line any more, but perhaps still a disk
    for (const [name, pid] of [["live", "51\n"], ["reused", "52"], ["zombie", "53"], ["ending", "54"], ["gone", "55"], ["garbage", "5x"], ["empty", ""]] as const) pidFile(name, pid);
    expect(["live", "reused", "zombie", "ending", "gone", "garbage", "empty", "absent", "../run/live", ""].map((name) => processes.pidFile(name))).toEqual([
      51, undefined, undefined, 54, undefined, undefined, undefined, undefined, undefined, undefined,
    ]);
  });

  test("cpuTotal() counts the processors that are on, and adds their counters, without those of guests, which are in them already", () => {
    writeFileSync(join(root, "stat"), "cpu  100 1 20 300 4 5 6 7 50 1\ncpu0 1 1 1 1 1 1 1 1 1 1\ncpu3 1 1 1 1 1 1 1 1 1 1\nintr 5\n");
    expect(processes.cpuTotal()).toEqual({ ticks: 443, processors: 2 });
  });

  test("HostProcesses reads this machine's /proc", () => {
    const real = new HostProcesses();
    expect([real.qemu() instanceof Map, real.cpuTotal().ticks > 0]).toEqual([true, true]);
  });
});
