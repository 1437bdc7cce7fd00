import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const place = mkdtempSync(join(tmpdir(), "onevirt-run-"));
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** A tree of remotes of this version, whose libvirt is the test driver. */
function treeOf(version: string, uri = "test:///default"): string {
  const tree = mkdtempSync(join(place, "tree-"));
  for (const directory of ["etc/vmm/kvm", "vmm/kvm", "onevirt"]) mkdirSync(join(tree, directory), { recursive: true });
  writeFileSync(join(tree, "VERSION"), version);
  writeFileSync(join(tree, "etc/vmm/kvm/kvmrc"), `LIBVIRT_URI=${uri}\n`);
  writeFileSync(join(tree, "onevirt/onevirt.conf"), `LOCK_DIRECTORY=${tree}/locks\nSTATE_DIRECTORY=${tree}/state\n`);
  return tree;
}

/** Runs an action from the sources, as the executable would. */
function runAction(tree: string, argv: readonly string[], stdin = "") {
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, join(import.meta.dir, "../../src/main.ts"), "vmm", ...argv], { env: { ...process.env, ONEVIRT_TREE: tree }, stdin: Buffer.from(stdin) });
  return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode };
}

describe("runAction()", () => {
  const MESSAGE = 'Could not reset domain nope: there is no domain "nope" on test:///default.\n';
  test.each([["5.6.0", `ERROR MESSAGE --8<------\n${MESSAGE}ERROR MESSAGE ------>8--\n`], ["6.4.0", MESSAGE], ["7.4.0", MESSAGE]])("runAction() fails in the form that an oned of %s reads", (version, stderr) => {
    expect(runAction(treeOf(version), ["reset", "nope", "h", "7", "h"])).toEqual({ stdout: "", stderr, exitCode: 1 });
  });

  test("runAction() shows the deploy id as it came, without control characters", () => {
    expect(runAction(treeOf("7.4.0"), ["reset", "$&$'`\n\u0007x"])).toEqual({ stdout: "", stderr: `Could not reset domain $&$'\`;  x: there is no domain "$&$'\`;  x" on test:///default.\n`, exitCode: 1 });
  });

  test.each([[["reset"], "the argument deploy-id is missing"], [["reset", "a", "b", "c", "d", "e"], "5 arguments were given, at most 4 are expected"]])("runAction() refuses %j with exit 2", (argv, reason) => {
    const { stderr, exitCode } = runAction(treeOf("7.4.0"), argv);
    expect([stderr, exitCode]).toEqual([expect.stringContaining(reason), 2]);
  });

  test("runAction() of a deploy prints the deploy id alone, and leaves document, but no lock", () => {
    const tree = treeOf("7.4.0");
    const xml = "<domain type='test'><name>one-7</name><uuid>aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee</uuid><memory>65536</memory><os><type>hvm</type></os></domain>\n";
    const result = runAction(tree, ["deploy", `${tree}/vms//7/deployment.0`, "h", "7", "h"], xml);
    expect([result, existsSync(`${tree}/vms/7/deployment.0`), existsSync(`${tree}/locks/aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee.lock`)]).toEqual([{ stdout: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee\n", stderr: "", exitCode: 0 }, true, false]);
  });

  test("17.1 row 1: runAction() of a cancel without libvirtd fails with libvirt's error in the log", () => {
    const { stdout, stderr, exitCode } = runAction(treeOf("7.4.0", `qemu+unix:///system?socket=${place}/absent`), ["cancel", "one-7", "h", "7", "h"]);
    expect([stdout, stderr.trimEnd().split("\n").at(-1), exitCode]).toEqual(["", expect.stringMatching(/^Could not destroy one-7: its state is not known: libvirt cannot be asked \(.*\)\. Check libvirtd on this host, then try again\.$/), 1]);
  });
});
