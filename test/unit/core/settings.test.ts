import { describe, expect, test } from "bun:test";
import { defaultSettings, interpret, isUnset, LIMIT, OWN, VARIABLES, type Row } from "../../../src/core/settings.ts";

describe("VARIABLES", () => {
  test("VARIABLES names every limit of a hot-plugged disk", () => {
    const names = ["TOTAL", "READ", "WRITE"].flatMap((who) => ["BYTES", "IOPS"].flatMap((what) => ["", "_MAX", "_MAX_LENGTH"].map((end) => `DEFAULT_ATTACH_${who}_${what}_SEC${end}`)));
    expect(names.filter((name) => !Object.hasOwn(VARIABLES, name))).toEqual([]);
  });

  test.each([...Object.entries(VARIABLES), ...Object.entries(OWN)] as [string, Row][])("VARIABLES and OWN tell people about %s in one sentence", (_name, row) => {
    expect(row.about).toMatch(/^[A-Z].*[^.]$/);
    expect(row.readBy.length).toBeGreaterThan(0);
  });

  test("VARIABLES has what 7.4 does when nothing is set", () => {
    const { LIBVIRT_URI, QEMU_PROTOCOL, SHUTDOWN_TIMEOUT, FORCE_DESTROY, SYNC_TIME, VIRSH_RETRIES, VIRSH_TRIES, VIRSH_TIMEOUT, DEFAULT_ATTACH_CACHE, OVMF_NVRAM, SUDO } = defaultSettings().kvmrc;
    expect([LIBVIRT_URI, QEMU_PROTOCOL, SHUTDOWN_TIMEOUT, FORCE_DESTROY, SYNC_TIME, VIRSH_RETRIES, VIRSH_TRIES, VIRSH_TIMEOUT, DEFAULT_ATTACH_CACHE, OVMF_NVRAM, SUDO]).toEqual([
      "qemu:///system", "qemu+ssh", 120, false, false, 3, 3, 60, "default", "", ["sudo", "-n"],
    ]);
  });

  test("VARIABLES falls back only to names of its own", () => {
    const fallbacks = Object.values(VARIABLES).flatMap((row: Row) => row.fallback ?? []);
    expect(fallbacks.filter((name) => !Object.hasOwn(VARIABLES, name))).toEqual([]);
  });
});

describe("interpret()", () => {
  const { SHUTDOWN_TIMEOUT, FORCE_DESTROY, SYNC_TIME, VIRSH_RETRIES, VIRSH_TRIES, LIBVIRT_URI, MIGRATE_OPTIONS, SUDO, DEFAULT_ATTACH_CACHE, DEFAULT_ATTACH_VIRTIO_BLK_QUEUES, DEFAULT_ATTACH_READ_BYTES_SEC } = VARIABLES;
  const cases: [string, Row, string | undefined, unknown][] = [
    ["an unset number", SHUTDOWN_TIMEOUT, undefined, { value: 120 }],
    ["an empty number (actions.md 4.1: 120 if unset or empty)", SHUTDOWN_TIMEOUT, "", { value: 120 }],
    ["a number with zeros and blanks", SHUTDOWN_TIMEOUT, " 090\t", { value: 90 }],
    ["no time at all", SHUTDOWN_TIMEOUT, "0", { value: 0 }],
    ["text where a number belongs", SHUTDOWN_TIMEOUT, "3m", { problem: 'expected a whole number, found "3m"' }],
    ["a number with a carriage return", SHUTDOWN_TIMEOUT, "180\r", { problem: 'expected a whole number, found "180\\r"' }],
    ["exactly yes", FORCE_DESTROY, "yes", { value: true }],
    ["another yes", FORCE_DESTROY, "YES", { value: false }],
    ["yes in any case", SYNC_TIME, "Yes", { value: true }],
    ["no tries, which would be a success without doing anything", VIRSH_RETRIES, "0", { value: 1 }],
    ["tries that Ruby takes for none", VIRSH_TRIES, "many", { value: 3 }],
    ["an empty URI", LIBVIRT_URI, "", { problem: "is empty" }],
    ["a URI with a blank", LIBVIRT_URI, "qemu:///system -x", { problem: "contains a blank" }],
    ["a URI with a carriage return", LIBVIRT_URI, "qemu:///system\r", { problem: "contains a control character" }],
    ["words", MIGRATE_OPTIONS, " --unsafe\t--p2p ", { value: ["--unsafe", "--p2p"] }],
    ["no words", MIGRATE_OPTIONS, "", { value: [] }],
    ["a command with arguments", SUDO, "sudo -n -u root", { value: ["sudo", "-n", "-u", "root"] }],
    ["an empty command, for which ${SUDO:-…} stands upstream", SUDO, "", { value: ["sudo", "-n"] }],
    ["an empty cache mode", DEFAULT_ATTACH_CACHE, "", { value: "default" }],
    ["one queue for each processor", DEFAULT_ATTACH_VIRTIO_BLK_QUEUES, "auto", { value: "auto" }],
    ["a number beyond 2^53 as text", DEFAULT_ATTACH_READ_BYTES_SEC, "18446744073709551615", { value: "18446744073709551615" }],
    ["a number with a unit", DEFAULT_ATTACH_READ_BYTES_SEC, "10M", { problem: 'expected digits, found "10M"' }],
    ["a limit", LIMIT, "600", { value: 600 }],
    ["no limit", LIMIT, "none", { value: null }],
    ["a limit that ends everything at once", LIMIT, "0", { problem: 'expected a whole number of at least 1, or none, found "0"' }],
    ["a relative directory", OWN.LOCK_DIRECTORY, "locks", { problem: 'expected an absolute path, found "locks"' }],
  ];
  test.each(cases)("interpret() reads %s", (_what, row, raw, expected) => {
    expect(interpret(row, raw)).toEqual(expected as never);
  });

  test("interpret() takes time in proportion to the text", () => {
    for (const row of Object.values(VARIABLES)) {
      const started = performance.now();
      for (const text of [" ".repeat(100_000), `${" ".repeat(100_000)}x`, "1 ".repeat(50_000)]) interpret(row, text);
      expect(performance.now() - started).toBeLessThan(5000);
    }
  });
});

test.each([
  ["SHUTDOWN_TIMEOUT", "", true],
  ["SHUTDOWN_TIMEOUT", "x", false],
  ["VIRSH_TRIES", "x", true],
  ["LIBVIRT_URI", "", false],
  ["LIBVIRT_URI", undefined, true],
] as const)("isUnset() of %s with %p is %p", (name, raw, unset) => {
  expect(isUnset(VARIABLES[name], raw)).toBe(unset);
});
