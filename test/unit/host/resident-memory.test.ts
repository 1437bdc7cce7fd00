import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { giveCodeBack } from "../../../src/host/resident-memory.ts";

const codeKiB = () => {
  const mappings = readFileSync("/proc/self/smaps", "latin1").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).filter((text) => / r-xp .* \//.test(text) && text.includes(process.execPath));
  return mappings.reduce((sum, text) => sum + Number(/^Rss: +(\d+)/m.exec(text)?.[1]), 0);
};

test("code that was used once is given back, and what is needed comes again", () => {
  const before = codeKiB();
  expect(giveCodeBack(process.execPath)).toBeGreaterThan(0);
  expect([codeKiB() < before, JSON.parse("[1]")]).toEqual([true, [1]]);
});

test("nothing is given back of other files, of data, or of what has no file", () => {
  expect(giveCodeBack("/usr/bin/onevirt", "00400000-00500000 r--p 00000000 fe:00 1 /usr/bin/onevirt\n00600000-00700000 r-xp 00000000 fe:00 2 /usr/bin/onevirt-else\n00800000-00900000 r-xp 00000000 00:00 0 \n")).toBe(0);
});
