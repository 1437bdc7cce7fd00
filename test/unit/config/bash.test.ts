import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OnevirtError } from "../../../src/core/errors.ts";
import { evaluate } from "../../../src/config/bash.ts";
import { loadSettings } from "../../../src/config/load.ts";
import { run } from "./fixture.ts";

let directory: string;
let path: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "config-"));
  path = join(directory, "kvmrc");
});
afterAll(() => rmSync(directory, { recursive: true }));

const values = async (text: string) => {
  writeFileSync(path, text);
  const evaluated = await evaluate(path, 1, run);
  return Object.fromEntries([...evaluated.values].map(([name, raw]) => [name, raw.text]));
};

describe("evaluate()", () => {
  const samples: [string, string, Record<string, string>][] = [
    ["an expansion", 'X=qemu:///session\nLIBVIRT_URI=$X\nSSH="ssh -i $HOME/key"\n', { LIBVIRT_URI: "qemu:///session", SSH: "ssh -i /var/lib/one/key" }],
    ["an array as its first element", "MIGRATE_OPTIONS=(--unsafe --verbose)\n", { MIGRATE_OPTIONS: "--unsafe" }],
    ["a condition", "if [ -d / ]; then\n  FORCE_DESTROY=yes\nfi\n", { FORCE_DESTROY: "yes" }],
    ["a failing last command", "FORCE_DESTROY=yes\n[ -e /nonexistent ] && SYNC_TIME=yes\n", { FORCE_DESTROY: "yes" }],
    ["output of the file as nothing", "echo LIBVIRT_URI=x; echo y >&2\n", {}],
    ["a redirection of the shell", "exec >/dev/null 2>&1\nSYNC_TIME=yes\n", { SYNC_TIME: "yes" }],
    ["strict modes and changed positions", "set -eu; set -- a b; shift; IFS=A\nSYNC_TIME=yes\n", { SYNC_TIME: "yes" }],
    ["functions with the names of builtins", "printf() { :; }; exit() { :; }; SYNC_TIME=yes\n", { SYNC_TIME: "yes" }],
    ["values with line ends and equals signs", "DEFAULT_ATTACH_IO=$'a\\nb=c'\n", { DEFAULT_ATTACH_IO: "a\nb=c" }],
    ["an early return", "SYNC_TIME=yes\nreturn 3\nSYNC_TIME=no\n", { SYNC_TIME: "yes" }],
    ["an unset variable", "SYNC_TIME=yes\nunset SYNC_TIME\n", {}],
    ["blank lines with a carriage return, which upstream survives", "SYNC_TIME=yes\r\n\r\nLANG=C\r\n", { LANG: "C\r", SYNC_TIME: "yes\r" }],
  ];
  test.each(samples)("evaluate() gives %s as the shell has it", async (_what, text, expected) => {
    expect(await values(text)).toEqual(expected);
  });

  test("evaluate() does not see the environment of the process", async () => {
    process.env.LIBVIRT_URI = "xen:///";
    process.env.BASH_ENV = path;
    try {
      expect(await values("SYNC_TIME=${LIBVIRT_URI-none}\n")).toEqual({ SYNC_TIME: "none" });
    } finally {
      delete process.env.LIBVIRT_URI;
      delete process.env.BASH_ENV;
    }
  });

  test("evaluate() reports what bash complained about without giving up", async () => {
    writeFileSync(path, "A=1\nno-such-command\nSYNC_TIME=yes\n");
    expect((await evaluate(path, 2, run)).complaints).toEqual([{ line: 2, text: "no-such-command: command not found" }]);
  });

  const refused: [string, string, string][] = [
    ["a syntax error", "A=1\nno-such-command\nif then\n", "line 3: syntax error near unexpected token `then'"],
    ["an unfinished quote", "A=1\nB='x\nC=1\n", "line 2: unexpected EOF while looking for matching `''"],
    ["an exit", "A=1\n\nexit 0\n", "line 1: bash ended before the end of the file"],
    ["an expansion that bash refuses", "A=1\n: ${B:?is needed}\n", "line 2: B: is needed"],
  ];
  test.each(refused)("evaluate() refuses a file with %s, and names the line", async (_what, text, reason) => {
    const error = await values(text).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: "BAD_CONFIG", message: `Cannot read "${path}" ${reason}` });
  });

  test("evaluate() says that bash hangs or is missing as a fault of the configuration", async () => {
    const fails = (code: "TIMED_OUT" | "COMMAND_FAILED") => evaluate("/k", 4, () => Promise.reject(new OnevirtError(code, "no bash"))).catch((error: Error) => error.message);
    expect([await fails("TIMED_OUT"), await fails("COMMAND_FAILED")]).toEqual([
      'Cannot read "/k" line 4: bash was not done with it after 5 s',
      'Cannot read "/k" line 4: it holds shell code, and bash did not start: no bash',
    ]);
  });

  test("loadSettings() asks bash exactly once, with 5 s, and marks the values as its", async () => {
    const text = "SHUTDOWN_TIMEOUT=$((60 * 2))\n";
    writeFileSync(path, text);
    const limits: number[] = [];
    const loaded = await loadSettings({ kvmrc: { path, text }, own: [] }, [], (argv, seconds) => (limits.push(seconds), run(argv)));
    expect([loaded.settings.kvmrc.SHUTDOWN_TIMEOUT, loaded.origins.get("SHUTDOWN_TIMEOUT"), limits]).toEqual([120, { path }, [5]]);
  });
});
