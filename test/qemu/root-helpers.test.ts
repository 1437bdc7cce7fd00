import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { Guest, on, rootOn, syncedTree } from "../support/lab.ts";

const MINUTE = 60_000;
const ONEVIRT = "/var/tmp/one/onevirt/onevirt-$(uname -m)";
let tree = "";
let guest: Guest;

/** As the actions call it: oneadmin, over ssh, through the host's sudo. */
const asSudo = (line: string) => on("hosta", `sudo -n ${line}`);
/** A file of the kind that OpenNebula's packages put beside ours. */
const OF_OTHERS = "/etc/sudoers.d/onevirt-test-231";

beforeAll(async () => {
  tree = await syncedTree(["hosta"]);
  guest = await Guest.make(231); // never started: swtpm itself has no part in this
  const installed = await rootOn("hosta", `${ONEVIRT} root install`);
  if (installed.exitCode !== 0) throw new Error(installed.stderr);
}, 2 * MINUTE);
afterAll(async () => {
  await guest.remove("hosta");
  await rootOn("hosta", `${ONEVIRT} root uninstall; rm -rf ${OF_OTHERS} /var/lib/libvirt/swtpm/${guest.uuid}`);
  rmSync(tree, { recursive: true, force: true });
}, MINUTE);

describe("root's own copy", () => {
  test("17.1 row 10: nobody but root can write what sudo is told of", async () => {
    const { stdout } = await rootOn("hosta", "stat -L -c '%U %a %n' /usr/lib/onevirt /usr/lib/onevirt/*; stat -c '%U %a %n' /etc/sudoers.d/onevirt");
    expect(stdout.trim().split("\n").map((line) => line.replace(/ \/.*\//, " "))).toEqual(["root 755 onevirt", "root 755 onevirt", "root 755 vgpu", "root 755 virtiofsd.sh", "root 755 vtpm_setup", "root 440 onevirt"]);
  }, MINUTE);

  test("17.1 row 10: sudo takes our lines as they are written, and lets oneadmin run nothing else of ours", async () => {
    expect(await rootOn("hosta", "visudo -c -f /etc/sudoers.d/onevirt")).toMatchObject({ exitCode: 0, stdout: "/etc/sudoers.d/onevirt: parsed OK\n", stderr: "" });
    expect((await on("hosta", "sudo -n -l | grep NOPASSWD")).stdout.trim()).toBe("(root) NOPASSWD: /usr/lib/onevirt/vgpu, /usr/lib/onevirt/vtpm_setup");
    expect((await asSudo("/usr/lib/onevirt/onevirt version")).stderr).toContain("password is required");
    expect((await on("hosta", "BUN_BE_BUN=1 BUN_OPTIONS=--version sudo -n /usr/lib/onevirt/vgpu make /x/vm.xml")).stderr).toMatch(/^Cannot run vgpu: Unsupported action 'make'/);
  }, MINUTE);

  test("17.1 row 10: install and status name the lines of others that let root run what oneadmin can write", async () => {
    await rootOn("hosta", `printf '%s\\n' 'Cmnd_Alias ONE_TEST = /var/tmp/one/vgpu' 'oneadmin ALL=(ALL:ALL) NOPASSWD: ONE_TEST' > ${OF_OTHERS}; chmod 440 ${OF_OTHERS}`);
    const line = `${OF_OTHERS} line 1 lets root run /var/tmp/one/vgpu, which oneadmin can write: it must go (visudo -f ${OF_OTHERS}), and its name from ${OF_OTHERS} line 2; root's own are in /usr/lib/onevirt`;
    expect(await rootOn("hosta", `${ONEVIRT} root install`)).toMatchObject({ exitCode: 0, stderr: `Warning: ${line}\n` });
    expect(await rootOn("hosta", `${ONEVIRT} root status`)).toEqual({ exitCode: 1, stdout: `Wrong: ${line}\n`, stderr: "" });
    await rootOn("hosta", `rm ${OF_OTHERS}`);
    expect(await rootOn("hosta", `${ONEVIRT} root status`)).toEqual({ exitCode: 0, stdout: "Root's copy is /usr/lib/onevirt/onevirt, and sudo runs nothing in its place.\n", stderr: "" });
  }, MINUTE);

  test("refuses to work for anybody but root, and for root itself", async () => {
    expect([(await on("hosta", "/usr/lib/onevirt/vgpu create /x/vm.xml")).stderr, (await rootOn("hosta", "/usr/lib/onevirt/vgpu create /x/vm.xml")).stderr]).toEqual(["Cannot run vgpu: it must be run as root\n", "Cannot run vgpu: it must be called by a user through sudo\n"]);
  }, MINUTE);

  test("names a vGPU whose card this host does not have", async () => {
    const pci = "<PCI><UUID>11111111-2222-4333-8444-555555555555</UUID><DOMAIN>0000</DOMAIN><BUS>fe</BUS><SLOT>1f</SLOT><FUNCTION>7</FUNCTION></PCI>";
    await on("hosta", `echo '<VM><ID>231</ID><TEMPLATE>${pci}</TEMPLATE></VM>' > ${guest.directory}/vm.xml`);
    expect(await asSudo(`/usr/lib/onevirt/vgpu create ${guest.directory}/vm.xml`)).toMatchObject({ exitCode: 1, stdout: "", stderr: expect.stringMatching(/^[^\n]*0000:fe:1f\.7[^\n]*\n$/) });
    expect((await asSudo(`/usr/lib/onevirt/vgpu make ${guest.directory}/vm.xml`)).exitCode).not.toBe(0);
  }, MINUTE);

  test("17.1 row 10: virtiofsd.sh becomes virtiofsd, as oneadmin, with each word and descriptor; without one it says so", async () => {
    // A namespace of its own, in which only a program of the test can be virtiofsd.
    const inside = (line: string) => rootOn("hosta", `unshare -m sh -c 'for each in /usr/libexec /usr/lib/virtiofsd /usr/lib/qemu; do [ ! -d $each ] || mount -t tmpfs none $each; done; ${line}'`);
    const program = Buffer.from('#!/bin/sh\necho "$$ $(id -un) $(cat <&5)"\nprintf "%s|" "$@"\n').toString("base64");
    const { stdout, stderr } = await inside(`mkdir -p /usr/libexec; echo ${program} | base64 -d > /usr/libexec/virtiofsd; chmod 755 /usr/libexec/virtiofsd; echo $$; echo kept > /usr/libexec/text; exec /usr/lib/onevirt/virtiofsd.sh --fd=5 "a b" "\\$(id)" ";" 5< /usr/libexec/text`);
    const [pid = "", ran = "", words = ""] = stdout.split("\n");
    expect({ ran, words, stderr }).toEqual({ ran: `${pid} oneadmin kept`, words: "--fd=5|a b|$(id)|;|", stderr: "" });
    expect(await inside("exec /usr/lib/onevirt/virtiofsd.sh")).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("virtiofsd binary not found") });
  }, MINUTE);

  test("keeps the state of a TPM with the rights of oneadmin, and puts it where swtpm looks", async () => {
    const place = `/var/lib/libvirt/swtpm/${guest.uuid}/tpm2/tpm2-00.permall`;
    await rootOn("hosta", `mkdir -p $(dirname ${place}) && head -c 6000 /dev/urandom > ${place} && chmod 600 ${place}`);
    const before = (await rootOn("hosta", `sha256sum < ${place}`)).stdout;
    expect(await asSudo(`/usr/lib/onevirt/vtpm_setup backup ${guest.uuid} ${guest.directory}`)).toMatchObject({ exitCode: 0, stderr: "" });
    expect((await on("hosta", `stat -c '%U %a' ${guest.directory}/tpm/tpm2-00.permall`)).stdout).toBe("oneadmin 600\n");
    await rootOn("hosta", `rm -rf /var/lib/libvirt/swtpm/${guest.uuid}`);
    expect(await asSudo(`/usr/lib/onevirt/vtpm_setup recover ${guest.uuid} ${guest.directory}`)).toMatchObject({ exitCode: 0, stderr: "" });
    expect({ same: (await rootOn("hosta", `sha256sum < ${place}`)).stdout === before, owner: (await rootOn("hosta", `stat -c '%U %a' ${place}`)).stdout }).toEqual({ same: true, owner: "oneadmin 600\n" });
  }, MINUTE);

  test("17.1 row 10: a link in the directory of a VM leads root nowhere", async () => {
    await on("hosta", `mkdir -p ${guest.directory}/tpm && ln -sfn /etc/shadow ${guest.directory}/tpm/tpm2-00.permall`);
    const refused = await asSudo(`/usr/lib/onevirt/vtpm_setup recover ${guest.uuid} ${guest.directory}`);
    await rootOn("hosta", `rm -f ${guest.directory}/tpm/tpm2-00.permall; rmdir ${guest.directory}/tpm; mkdir /tmp/elsewhere-231; ln -s /tmp/elsewhere-231 ${guest.directory}/tpm; chown root /tmp/elsewhere-231`);
    const backup = await asSudo(`/usr/lib/onevirt/vtpm_setup backup ${guest.uuid} ${guest.directory}`);
    const written = (await rootOn("hosta", "ls -A /tmp/elsewhere-231; rm -rf /tmp/elsewhere-231")).stdout;
    expect({ refused: refused.stderr, backup: backup.exitCode, written }).toEqual({ refused: expect.stringContaining("it is a link"), backup: 1, written: "" });
  }, MINUTE);
});
