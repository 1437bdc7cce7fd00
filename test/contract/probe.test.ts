import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ExecutableTree, EXECUTABLE, run } from "../support/executable-tree.ts";

const SYNC = "SYNC_STATE=yes\nMISSING_STATE=POWEROFF\n";
const CONFIGURATION = "<MONITOR_CONFIGURATION><PROBES_PERIOD><SYNC_STATE_VM>3600</SYNC_STATE_VM></PROBES_PERIOD><DATASTORE_LOCATION>/d</DATASTORE_LOCATION></MONITOR_CONFIGURATION>";

let tree: ExecutableTree;
beforeAll(() => void (tree = new ExecutableTree()));
afterAll(() => tree[Symbol.dispose]());

const probe = (...words: readonly string[]) => run([EXECUTABLE, "probe", ...words], { env: { ONEVIRT_TREE: tree.root } });
/** As another agent runs it: by its file, with its own words and the configuration. */
const launched = (stdin = CONFIGURATION) => run([join(tree.root, "im/kvm-probes.d/vm/status/state.rb"), "kvm", "3", "node1"], { stdin });

describe("onevirt probe", () => {
  test("by hand only looks: whoever asks twice gets the same answer", async () => {
    expect([await probe("vm/status/state"), await probe("vm/status/state")]).toEqual([0, 1].map(() => ({ exitCode: 0, stdout: SYNC, stderr: "" })));
  });

  test.each(["vm/execution/exec", "vm/snapshot/recovery", "host/system/clean_db"])("by hand refuses %s, which does more than report", async (name) => {
    expect(await probe(name)).toEqual({ exitCode: 2, stdout: "", stderr: expect.stringMatching(/^Cannot run probe \S+: it does more than report: .*\nHint: name driver, number and name of the host/) });
  });

  test("run by another agent, it keeps what it has said, and reads the configuration", async () => {
    expect([await launched(), await launched()].map(({ stdout, exitCode }) => [exitCode, stdout])).toEqual([[0, SYNC], [0, ""]]);
  });

  test("run by another agent, it refuses a configuration that is none", async () => {
    expect(await launched("<MONITOR")).toEqual({ exitCode: 1, stdout: "", stderr: expect.stringContaining("Cannot run probe vm/status/state.rb: Cannot read the monitoring configuration") });
  });

  test.each(["xen 3 h", "kvm three h", "kvm 3"])("refuses the host %s", async (words) => {
    expect(await probe("host/system/name", ...words.split(" "))).toMatchObject({ exitCode: 2, stdout: "" });
  });

  test("says which probes there are when there is none of that name", async () => {
    expect(await probe("host/nope")).toEqual({ exitCode: 2, stdout: "", stderr: 'Cannot run probe host/nope: there is no probe "host/nope".\nHint: onevirt probe lists them.\n' });
  });
});
