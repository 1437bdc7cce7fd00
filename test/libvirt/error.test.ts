import { expect, test } from "bun:test";
import { codeOf } from "../../src/libvirt/error.ts";

/** virErrorDomain: QEMU's driver, and what stands between us and the daemon. */
const [QEMU, RPC] = [10, 7];

/** What libvirt 9.0 has said, with numbers and words as they came. */
test.each([
  [55, QEMU, "Requested operation is not valid: domain has active block job", "BLOCK_JOB_ACTIVE"], // save, migrate
  [9, QEMU, "operation failed: unplug of device was rejected by the guest", "REMOVAL_REFUSED"],
  [9, QEMU, "operation failed: something else", "LIBVIRT_FAILED"],
  [83, QEMU, "block copy still active: disk 'vda' already in active block job", "BLOCK_JOB_ACTIVE"], // snapshots
  [55, QEMU, "Requested operation is not valid: domain is not running", "INVALID_STATE"],
  [42, QEMU, "Domain not found: no domain with matching name 'one-7'", "DOMAIN_NOT_FOUND"],
  [38, RPC, "Failed to connect socket to '/var/run/libvirt/libvirt-sock': Connection refused", "LIBVIRT_UNREACHABLE"],
  [42, RPC, "Domain not found", "DOMAIN_NOT_FOUND"],
  [1, QEMU, "internal error: domain has active block job", "LIBVIRT_FAILED"],
] as const)("codeOf() of error %d of domain %d, %j", (code, domain, text, expected) => {
  expect(codeOf({ code, domain, text })).toBe(expected);
});
