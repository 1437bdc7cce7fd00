import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isUpstreamWanted } from "../../../src/cli/resident-process.ts";
import { Successor } from "../../../src/cli/successor.ts";

/** An executable, what takes its place, the starts that were asked for, and what was said. */
function given() {
  const path = join(mkdtempSync(join(tmpdir(), "successor-")), "onevirt");
  writeFileSync(path, "first");
  const starts: ((code: number) => void)[] = [];
  const said: string[] = [];
  const start = () => {
    const { promise: exited, resolve } = Promise.withResolvers<number>();
    starts.push(resolve);
    return { exited };
  };
  const replace = (text: string) => (writeFileSync(`${path}.new`, text), renameSync(`${path}.new`, path));
  return { path, starts, said, replace, start, log: { log: (_severity: string, text: string) => void said.push(text) } };
}

describe("Successor", () => {
  test("starts nothing while the file is the same, or gone", () => {
    const { path, start, log, starts, said } = given();
    const successor = new Successor(path, start, log);
    successor.look();
    rmSync(path);
    successor.look();
    expect([starts.length, said]).toEqual([0, []]);
  });

  test("starts what has another inode, though name, size and bytes are the same, and not twice at a time", () => {
    const { path, start, log, starts, replace } = given();
    const successor = new Successor(path, start, log);
    replace("first");
    successor.look();
    successor.look();
    expect(starts.length).toBe(1);
  });

  test("tries again when the one that was started has failed, and says each reason once", async () => {
    const { path, start, log, starts, said, replace } = given();
    const successor = new Successor(path, start, log);
    replace("second");
    for (const code of [1, 1, 135]) {
      successor.look();
      starts.at(-1)?.(code);
      await Promise.resolve();
      await Promise.resolve();
    }
    expect([starts.length, said]).toEqual([3, [1, 135].map((code) => `Cannot start "${path}", which has replaced this agent's: exit code ${code}`)]);
  });

  test("survives what cannot be started at all, with the runtime's own processes", async () => {
    const { path, log, said, replace } = given();
    const successor = new Successor(path, () => Bun.spawn([path], { stdio: ["ignore", "ignore", "ignore"] }), log);
    replace("#!/nonexistent\n");
    successor.look();
    chmodSync(path, 0o755);
    successor.look();
    expect(said).toEqual([expect.stringContaining("EACCES"), expect.stringContaining("ENOENT")]);
  });
});

describe("isUpstreamWanted()", () => {
  test("wants the switch and upstream's script: without the one nobody asks, without the other nobody would report", () => {
    const tree = mkdtempSync(join(tmpdir(), "wanted-"));
    const off = join(tree, "off");
    const isWanted = () => isUpstreamWanted(tree, "kvm", "monitord-client_control.sh", off);
    const neither = isWanted();
    writeFileSync(off, "");
    const onlyOff = isWanted();
    mkdirSync(join(tree, "im/kvm.d"), { recursive: true });
    writeFileSync(join(tree, "im/kvm.d/upstream-monitord-client_control.sh"), "");
    const empty = isWanted(); // the launcher passes it by, and would start ours again and again
    writeFileSync(join(tree, "im/kvm.d/upstream-monitord-client_control.sh"), "#!/bin/sh\n");
    const both = isWanted();
    rmSync(off);
    expect([neither, onlyOff, empty, both, isWanted()]).toEqual([false, false, false, true, false]);
  });
});
