import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check, type Finding } from "../../../src/config/check.ts";
import { isOneSlipAway } from "../../../src/config/similar.ts";
import { ACTIONS, noBash, run, sources } from "./fixture.ts";

const brief = ({ severity, line, name, text }: Finding) => [severity, line, name, text].filter((part) => part !== undefined).join(" ");
const findings = async (kvmrc?: string, own?: string) => (await check(sources(kvmrc, own), ACTIONS, noBash)).map(brief);

/** A kvmrc that bash has to evaluate, in a real file. */
async function withShellCode(text: string): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), "check-"));
  try {
    const path = join(directory, "kvmrc");
    writeFileSync(path, text);
    return (await check({ kvmrc: { path, text }, own: [] }, ACTIONS, run)).map(brief);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe("check()", () => {
  test("check() has nothing to say about files as they are shipped", async () => {
    const shipped = 'export LANG=C\nexport LIBVIRT_URI=qemu:///system\nexport SHUTDOWN_TIMEOUT=180\n#DEFAULT_ATTACH_IO=\nVIRTIOFSD_BINARY_PATH="/usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd"\nCLEANUP_MEMORY_ON_STOP=no\n';
    expect(await findings(shipped, await Bun.file("remotes/onevirt/onevirt.conf").text())).toEqual([]);
    expect(await findings()).toEqual([]);
  });

  const cases: [string, string, string[]][] = [
    ["a bad value", "\nexport SHUTDOWN_TIMEOUT=3m\n", ['error 2 SHUTDOWN_TIMEOUT expected a whole number, found "3m"']],
    ["a misspelt name", "SHUTDOWN_TIMEOT=3\nSHUTDWON_TIMEOUT=4\nMY_OWN=1\n", ["warning 1 SHUTDOWN_TIMEOT nothing reads this name", "warning 2 SHUTDWON_TIMEOUT nothing reads this name"]],
    ["a name of the documentation that no code reads", "DEFAULT_VIRTIO_BLK_QUEUES=4\n", ["warning 1 DEFAULT_VIRTIO_BLK_QUEUES nothing reads this name"]],
    ["a setting of the other file", "LIMIT_DEPLOY=4\nLOCK_DIRECTORY=/x\n", ["warning 1 LIMIT_DEPLOY belongs into onevirt.conf; here nothing reads it", "warning 2 LOCK_DIRECTORY belongs into onevirt.conf; here nothing reads it"]],
    ["a value that is set twice", "FORCE_DESTROY=yes\nFORCE_DESTROY=no\n", ["notice 1 FORCE_DESTROY line 2 sets it again and wins"]],
    ["a flag that is not exactly yes", "FORCE_DESTROY=true\n", ['warning 1 FORCE_DESTROY only yes switches it on, found "true"']],
    ["tries that count as unset", "VIRSH_TRIES=x\n", ['warning 1 VIRSH_TRIES counts as unset, found "x"']],
    ["no tries at all", "VIRSH_RETRIES=0\n", ["notice 1 VIRSH_RETRIES counts as 1"]],
    ["another yes where one reader is strict", "SYNC_TIME=YES\n", ["notice 1 SYNC_TIME restore of OpenNebula takes only yes in lower case"]],
  ];
  test.each(cases)("check() names %s", async (_what, text, expected) => {
    expect(await findings(text)).toEqual(expected);
  });

  const RUBY = "attach_nic, detach_nic and migrate of OpenNebula see";
  const TM = "tm/lib/kvm.rb of OpenNebula see";
  const dialects: [string, string, string[]][] = [
    ["unexported", "LIBVIRT_URI=test:///x\n", ["notice 1 LIBVIRT_URI not exported: the probes of OpenNebula use qemu:///system"]],
    ["quoted", "export LIBVIRT_URI='test:///x'\nMIGRATE_OPTIONS=\"--unsafe --p2p\"\n", []],
    ["comment after value", "export LIBVIRT_URI=test:///x # why\n", [`notice 1 LIBVIRT_URI ${TM} "test:///x # why" here`]],
    ["indented export", "  export LIBVIRT_URI=test:///x\n", [`notice 1 LIBVIRT_URI ${RUBY} no value here`, `notice 1 LIBVIRT_URI ${TM} no value here`]],
    ["CRLF", "FORCE_DESTROY=yes\r\n", ["warning 1 lines end with a carriage return, which becomes part of each value", 'warning 1 FORCE_DESTROY only yes switches it on, found "yes\\r"']],
    ["missing last newline", "export LIBVIRT_URI=test:///x", []],
    ["two in one line", "SYNC_TIME=yes MIGRATE_OPTIONS=--unsafe\n", [`notice 1 SYNC_TIME ${RUBY} "yes MIGRATE_OPTIONS=--unsafe" here`, `notice 1 MIGRATE_OPTIONS ${RUBY} no value here`]],
  ];
  test.each(dialects)("check() tells what other readers see: %s", async (_what, text, expected) => {
    expect(await findings(text)).toEqual(expected);
  });

  const CODE = "shell code begins here: every action starts bash for it, and the probes of OpenNebula run it with sh";
  const shell: [string, string, string[]][] = [
    ["$X", "X=test:///x\nexport LIBVIRT_URI=$X\n", [`notice 2 LIBVIRT_URI ${RUBY} "$X" here`, `notice 2 LIBVIRT_URI ${TM} "$X" here`, `notice 2 ${CODE}`]],
    ["a bash array", "MIGRATE_OPTIONS=(--unsafe --p2p)\n", [`notice 1 ${CODE}`, `notice 1 MIGRATE_OPTIONS ${RUBY} "(--unsafe --p2p)" here`]],
    ["a missing command", "no-such-command\n", [`notice 1 ${CODE}`, "warning 1 no-such-command: command not found"]],
    ["a bad value that bash computed", "SHUTDOWN_TIMEOUT=$((1 + 1))m\n", ['error SHUTDOWN_TIMEOUT expected a whole number, found "2m"', `notice 1 ${CODE}`]],
    ["a syntax error", "A=1\nfi\n", ["error 2 syntax error near unexpected token `fi'"]],
  ];
  test.each(shell)("check() judges what bash makes of %s", async (_what, text, expected) => {
    expect((await withShellCode(text)).sort()).toEqual([...expected].sort());
  });

  test("check() reports an unreadable file and still looks at the other", async () => {
    const found = await check({ kvmrc: { path: "/k", unreadable: "permission denied" }, own: [{ path: "/o", text: "X=$Y\n" }] }, ACTIONS, noBash);
    expect(found.map(({ path, ...finding }) => `${path} ${brief({ path, ...finding })}`)).toEqual([
      "/k error permission denied",
      "/o error 1 expected NAME=value without shell expansions or commands",
    ]);
  });

  test("check() takes no unknown name in onevirt.conf", async () => {
    expect(await findings(undefined, "LOCK_DIRECTORY=/x\nLIMIT_DEPLOY=60\nLIMIT_DEPLOI=60\nSHUTDOWN_TIMEOUT=5\nLIMIT_SHUTDOWN=soon\n")).toEqual([
      "error 3 LIMIT_DEPLOI there is no setting of this name",
      "error 4 SHUTDOWN_TIMEOUT there is no setting of this name",
      'error 5 LIMIT_SHUTDOWN expected a whole number of at least 1, or none, found "soon"',
    ]);
  });
});

test.each([
  ["ABC", "ABC", false],
  ["ABC", "AB", true],
  ["ABC", "ABXC", true],
  ["ABC", "AXC", true],
  ["ABC", "ACB", true],
  ["ABCD", "CDAB", false],
  ["", "A", true],
  ["ABC", "CBA", false],
])("isOneSlipAway(%p, %p) is %p", (one, other, expected) => {
  expect([isOneSlipAway(one, other), isOneSlipAway(other, one)]).toEqual([expected, expected]);
});
