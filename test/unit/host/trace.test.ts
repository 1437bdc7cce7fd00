import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTracer, redact } from "../../../src/host/trace.ts";

describe("openTracer()", () => {
  test("openTracer() gives none when nobody asked for one", () => {
    expect([openTracer(undefined), openTracer("")]).toEqual([undefined, undefined]);
  });

  test("openTracer() writes one line a record, for its owner only, and hands results and errors on", () => {
    const place = mkdtempSync(join(tmpdir(), "onevirt-trace-"));
    const tracer = openTracer(join(place, "t"));
    const result = tracer?.around("libvirt", "virDomainGetID(1)", () => 7, String);
    expect(() => tracer?.around("file", "write\n/x", () => { throw new Error("disk\nfull"); })).toThrow("disk\nfull");
    const lines = readFileSync(join(place, "t"), "utf8").split("\n");
    expect([result, lines, statSync(join(place, "t")).mode & 0o777]).toEqual([7, [
      expect.stringMatching(/^DEBUG: trace: \S+Z \d+ libvirt \d+\.\d{3} ms virDomainGetID\(1\) = 7$/), expect.stringMatching(/^DEBUG: trace: \S+Z \d+ file \d+\.\d{3} ms write \/x = failed: disk full$/), "",
    ], 0o600]);
    rmSync(place, { recursive: true });
  });

  test("openTracer() never makes a failure of what has succeeded: a trace that cannot be written is told once", () => {
    const script = `
      import { openTracer } from "./src/host/trace.ts";
      const tracer = openTracer("/nowhere/trace");
      console.log(tracer.around("libvirt", "create", () => "created"), tracer.around("libvirt", "destroy", () => "destroyed"));`;
    const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", script], { cwd: join(import.meta.dir, "../../..") });
    expect([stdout.toString(), stderr.toString()]).toEqual(["created destroyed\n", expect.stringMatching(/^WARN: trace: Cannot write ONEVIRT_TRACE: ENOENT[^\n]*\n$/)]);
  });
});

describe("redact()", () => {
  test("redact() hides what follows the name of a secret", () => {
    expect(["passwd='hunter2' x", 'password: "a b" y', "secret=abc z", "token=abc", "keyboard=us"].map(redact)).toEqual(["passwd=*** x", "password: *** y", "secret=*** z", "token=***", "keyboard=us"]);
  });
});
