import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { DATASTORE, Guest, on, REMOTE, rootOn, syncedTree, userMessage } from "../support/lab.ts";

const MINUTE = 60_000;
let tree = "";
let guest: Guest;

beforeAll(async () => {
  tree = await syncedTree(["hosta"]);
  guest = await Guest.make(130);
}, MINUTE);
afterAll(async () => {
  await guest.remove("hosta");
  rmSync(tree, { recursive: true, force: true });
}, MINUTE);

async function domains(): Promise<string> {
  return (await on("hosta", "virsh -c qemu:///system list --all --name")).stdout.trim();
}

describe("deploy on an injured host", () => {
  test("names a kvmrc that oneadmin cannot read, and starts nothing", async () => {
    await rootOn("hosta", "chown root /var/tmp/one/etc/vmm/kvm/kvmrc; chmod 600 /var/tmp/one/etc/vmm/kvm/kvmrc");
    try {
      const result = await guest.deploy("hosta");
      expect({ code: result.exitCode, stdout: result.stdout, says: userMessage(result), domains: await domains() }).toEqual({
        code: 1, stdout: "", says: expect.stringMatching(/kvmrc.*permission denied/), domains: "",
      });
    } finally {
      await rootOn("hosta", "chown oneadmin /var/tmp/one/etc/vmm/kvm/kvmrc; chmod 640 /var/tmp/one/etc/vmm/kvm/kvmrc");
    }
  }, MINUTE);

  test("says that the directory of the VM is read-only, and starts nothing", async () => {
    const file = `${DATASTORE}/131/deployment.0`;
    await rootOn("hosta", `mkdir -p ${DATASTORE}/131 && chown oneadmin ${DATASTORE}/131 && mount --bind ${DATASTORE}/131 ${DATASTORE}/131 && mount -o remount,bind,ro ${DATASTORE}/131`);
    try {
      const result = await on("hosta", `${REMOTE}/deploy ${file} hosta 131 hosta; code=$?; ls -A ${DATASTORE}/131; exit $code`, guest.xml);
      expect({ code: result.exitCode, stdout: result.stdout, says: userMessage(result), domains: await domains() }).toEqual({
        code: 1, stdout: "", says: `Could not create domain from ${file}: Cannot write "${file}": the file system is read-only.`, domains: "",
      });
    } finally {
      await rootOn("hosta", `umount ${DATASTORE}/131; rmdir ${DATASTORE}/131`);
    }
  }, MINUTE);

  test("says that the disk is full, leaves no part of a file, and starts nothing", async () => {
    const file = `${DATASTORE}/132/deployment.0`;
    await rootOn("hosta", `mkdir -p ${DATASTORE}/132 && mount -t tmpfs -o size=16k,uid=$(id -u oneadmin) tmpfs ${DATASTORE}/132 && head -c 16384 /dev/zero > ${DATASTORE}/132/full; true`);
    try {
      const result = await on("hosta", `${REMOTE}/deploy ${file} hosta 132 hosta; code=$?; ls -A ${DATASTORE}/132 >&2; exit $code`, guest.xml);
      expect({ code: result.exitCode, stdout: result.stdout, stderr: result.stderr, domains: await domains() }).toEqual({
        code: 1, stdout: "", stderr: `Could not create domain from ${file}: Cannot write "${file}": no space left on the device.\nfull\n`, domains: "",
      });
    } finally {
      await rootOn("hosta", `umount ${DATASTORE}/132; rmdir ${DATASTORE}/132`);
    }
  }, MINUTE);

  test.each([["an empty document", ""], ["a truncated one", "<domain><name>one-130"], ["no domain", "<pool/>"], ["a hostile name", "<domain type='qemu'><name>a;b</name></domain>"]])("refuses %s, with no file and no domain left behind", async (_what, document) => {
    const result = await on("hosta", `${REMOTE}/deploy ${DATASTORE}/133/deployment.0 hosta 133 hosta; code=$?; ls ${DATASTORE}/133 2>/dev/null; exit $code`, document);
    expect({ code: result.exitCode, stdout: result.stdout, lines: userMessage(result).split("\n").length, domains: await domains() }).toEqual({ code: 1, stdout: "", lines: 1, domains: "" });
  }, MINUTE);

  test("reports libvirt's refusal once, with its code, and keeps the document for whoever looks into it", async () => {
    const broken = guest.with((xml) => xml.replace(/machine='[^']*'/, "machine='nosuch'"));
    const result = await broken.deploy("hosta");
    expect({ code: result.exitCode, stdout: result.stdout, lines: result.stderr.trim().split("\n").length, stderr: result.stderr, domains: await domains() }).toEqual({
      code: 1, stdout: "", lines: 2, stderr: expect.stringMatching(/^ERROR: deploy: libvirt error \d+ of domain \d+: .*\nCould not create domain from .*nosuch.*\n$/), domains: "",
    });
    expect((await on("hosta", `test -s ${guest.file}`)).exitCode).toBe(0);
  }, MINUTE);

  test("names a disk that is gone, or that libvirt's user may not read, and starts nothing", async () => {
    for (const [spoil, mend] of [["mv disk.0 gone", "mv gone disk.0"], ["chown root disk.0; chmod 600 disk.0", "chown oneadmin disk.0"]] as const) {
      await rootOn("hosta", `cd ${guest.directory}; ${spoil}`);
      const result = await guest.deploy("hosta");
      await rootOn("hosta", `cd ${guest.directory}; ${mend}`);
      expect({ spoil, code: result.exitCode, stdout: result.stdout, says: userMessage(result), domains: await domains() }).toEqual({
        spoil, code: 1, stdout: "", says: expect.stringMatching(/^Could not create domain from [^\n]*disk\.0[^\n]*(No such file or directory|Permission denied)[^\n]*$/), domains: "",
      });
    }
  }, MINUTE);
});
