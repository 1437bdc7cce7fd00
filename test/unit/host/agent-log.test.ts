import { expect, test } from "bun:test";
import { closeSync, mkdtempSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLog, trimLog } from "../../../src/host/agent-log.ts";

const place = () => join(mkdtempSync(join(tmpdir(), "agent-log-")), "one_db/agent.log");

test("openLog() keeps what the agent before has said", () => {
  const path = place();
  for (const text of ["first", "second"]) {
    const fd = openLog(path);
    writeSync(fd as number, text);
    closeSync(fd as number);
  }
  expect([readFileSync(path, "utf8"), readFileSync(`${path}.old`, "utf8")]).toEqual(["second", "first"]);
});

test("the log of an agent grew for as long as it complained", () => {
  const path = place();
  const fd = openLog(path) as number;
  writeSync(fd, "x".repeat(1000));
  trimLog(fd, 2000);
  const kept = readFileSync(path, "utf8").length;
  trimLog(fd, 999);
  writeSync(fd, "after");
  closeSync(fd);
  expect([kept, readFileSync(path, "utf8")]).toEqual([1000, "after"]);
});

test("openLog() where no directory can be made is no error", () => {
  const file = join(mkdtempSync(join(tmpdir(), "agent-log-")), "file");
  writeFileSync(file, "");
  expect(openLog(join(file, "agent.log"))).toBe("ignore");
});
