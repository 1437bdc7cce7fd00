import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { giveCodeBack, isCode, parseMappings } from "../../../src/host/own-memory.ts";

const BLOCK = (first: string, anonymous: number) => `${first}\nSize:                 40 kB\nRss:                  36 kB\nAnonymous:             ${anonymous} kB\nVmFlags: rd ex mr mw me\n`;

describe("giveCodeBack()", () => {
  test("parseMappings() tells where each mapping is, what may be done with it, and what of it was written to", () => {
    const text = BLOCK("7f00a000-7f014000 r-xp 00002000 08:01 1234                       /usr/lib/a b.so (deleted)", 0) + BLOCK("7ffe0000-7ffe1000 rw-p 00000000 00:00 0 ", 4);
    expect(parseMappings(text)).toEqual([
      { start: 0x7f00a000, bytes: 0xa000, permissions: "r-xp", path: "/usr/lib/a b.so (deleted)", privateKiB: 0 },
      { start: 0x7ffe0000, bytes: 0x1000, permissions: "rw-p", path: "", privateKiB: 4 },
    ]);
  });

  test("isCode() is what a file can give again, and nothing else", () => {
    const one = { start: 0, bytes: 4096, permissions: "r-xp", path: "/usr/lib/libc.so.6", privateKiB: 0 };
    expect([one, { ...one, permissions: "r--p" }, { ...one, permissions: "rw-p" }, { ...one, permissions: "rwxp" }, { ...one, permissions: "---p" }, { ...one, privateKiB: 4 }, { ...one, path: "" }, { ...one, path: "[vdso]" }].map(isCode)).toEqual([true, true, false, false, false, false, false, false]);
  });

  test("giveCodeBack() leaves a process that runs on, with fewer pages of its program", async () => {
    const program = `
      import { readFileSync } from "node:fs";
      import { giveCodeBack } from "${import.meta.dir}/../../../src/host/own-memory.ts";
      const fromFiles = () => Number(/^RssFile:\\s+(\\d+)/m.exec(readFileSync("/proc/self/status", "latin1"))[1]);
      JSON.parse("[1]"); fromFiles();
      const before = fromFiles();
      giveCodeBack();
      const after = fromFiles();
      const words = Array.from({ length: 1000 }, (_, index) => String(index)).sort().join().length;
      console.log(JSON.stringify({ fewer: after < before, words }));`;
    const { stdout, exitCode, stderr } = Bun.spawnSync([process.execPath, "-e", program], { stderr: "pipe" });
    expect([stderr.toString(), exitCode, JSON.parse(stdout.toString()) as unknown] as unknown[]).toEqual(["", 0, { fewer: true, words: 3889 }]);
  });

  test("giveCodeBack() of a kernel that does not tell does nothing: in a timer an error would end the agent", () => {
    expect(() => giveCodeBack("/proc/self/no-smaps")).not.toThrow();
  });

  test("parseMappings() understands this kernel", () => {
    const own = parseMappings(readFileSync("/proc/self/smaps", "latin1"));
    expect(own.filter(isCode).some(({ path }) => /\/libc[.-]/.test(path))).toBe(true);
    giveCodeBack();
  });
});
