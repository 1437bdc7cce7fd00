import { expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endPrograms, probeFiles, runProbe } from "../../../src/host/probe-files.ts";

function program(text: string) {
  const directory = mkdtempSync(join(tmpdir(), "probes-"));
  const path = join(directory, "p.sh");
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return { directory, path };
}

test("probeFiles() are what can be run, in the byte order of their names", () => {
  const { directory } = program("");
  for (const name of ["B.sh", "a.sh"]) writeFileSync(join(directory, name), "", { mode: 0o755 });
  writeFileSync(join(directory, "no.conf"), "");
  mkdirSync(join(directory, "sub"));
  expect([probeFiles(directory), probeFiles(join(directory, "nowhere"))]).toEqual([["B.sh", "a.sh", "p.sh"], []]);
});

test("runProbe() gives a program its words, its directory and its input, and takes what it says", async () => {
  const { directory, path } = program('read -r line; echo "$1 $2 $line $LANG"; pwd; echo no >&2; exit 3');
  expect(await runProbe([path, "kvm", "3"], directory, "xml\nmore")).toEqual({ exitCode: 3, stdout: `kvm 3 xml C\n${directory}\n`, stderr: "no\n" });
});

test("runProbe() waited for ever for what a program left behind", async () => {
  const { directory, path } = program("echo said; setsid sleep 100 & echo $! > left");
  expect(await runProbe([path], directory, "")).toEqual({ exitCode: 0, stdout: "said\n", stderr: "" });
  process.kill(Number(readFileSync(join(directory, "left"), "utf8")), "SIGKILL");
});

/** The limit of open files of an agent that runs for months would be reached in days. */
test("two descriptors stayed open for each program that had left another behind", async () => {
  const { directory, path } = program("setsid sleep 100 & echo $! >> left");
  await runProbe([path], directory, "");
  const before = readdirSync("/proc/self/fd").length;
  await Promise.all(Array.from({ length: 4 }, () => runProbe([path], directory, "")));
  while (readdirSync("/proc/self/fd").length > before) await Bun.sleep(5); // the runtime closes them a moment later
  for (const pid of readFileSync(join(directory, "left"), "utf8").trim().split("\n")) process.kill(Number(pid), "SIGKILL");
});

test("runProbe() took all that a program printed; now it keeps 8 MiB", async () => {
  const { directory, path } = program("head -c 20000000 /dev/zero");
  expect((await runProbe([path], directory, "")).stdout.length).toBe(8 * 1024 * 1024);
});

test("runProbe() ends a program and its children at the limit", async () => {
  const { directory, path } = program("sleep 100");
  expect(await runProbe([path], directory, "", 100)).toEqual({ exitCode: 143, stdout: "", stderr: "ended by SIGTERM" });
});

test("programs lived on when the agent had ended", async () => {
  const { directory, path } = program("echo > began; exec sleep 100");
  const result = runProbe([path], directory, "");
  while (!existsSync(join(directory, "began"))) await Bun.sleep(5);
  endPrograms();
  expect((await result).stderr).toBe("ended by SIGKILL");
  chmodSync(directory, 0o700);
});
