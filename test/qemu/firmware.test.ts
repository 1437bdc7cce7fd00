import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { Guest, on, rootOn, settingsOn, syncedTree } from "../support/lab.ts";
import { driverMessage } from "../unit/actions/message.ts";

const MINUTE = 60_000;
/** A firmware that is emulated takes its time. */
const PATIENCE = 150;
const ONEVIRT = "/var/tmp/one/onevirt/onevirt-$(uname -m)";
const DONE = { exitCode: 0, stdout: "", stderr: "" };
const checksum = async (path: string) => (await rootOn("hosta", `sha256sum < ${path}`)).stdout.trim();
let tree = "";

beforeAll(async () => {
  tree = await syncedTree(["hosta"], { kvmrc: "OVMF_NVRAM=/usr/share/OVMF/OVMF_VARS.fd\n" });
}, MINUTE);
afterAll(async () => {
  await settingsOn(["hosta"]);
  rmSync(tree, { recursive: true, force: true });
}, MINUTE);

describe("a UEFI guest", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = (await Guest.make(251)).with((xml) => xml.replace("</os>", "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader><nvram>/var/lib/one/datastores/0/251/web_VARS.fd</nvram></os>"));
  }, MINUTE);
  afterAll(() => guest.remove("hosta"));

  test("17.1 row 12: boots through its firmware, and what that writes into its variables is there at the next start", async () => {
    const nvram = `${guest.directory}/web_VARS.fd`;
    expect(await guest.deploy("hosta")).toEqual({ ...DONE, stdout: `${guest.uuid}\n` });
    await guest.ready("hosta", PATIENCE);
    expect(await guest.inside("hosta", "ls -d /sys/firmware/efi")).toBe("/sys/firmware/efi\n");
    expect(await guest.act("hosta", "shutdown")).toEqual(DONE);
    const written = await checksum(nvram);
    expect(written === (await checksum("/usr/share/OVMF/OVMF_VARS.fd"))).toBe(false);
    expect((await guest.deploy("hosta")).exitCode).toBe(0);
    expect(await checksum(nvram)).not.toBe(await checksum("/usr/share/OVMF/OVMF_VARS.fd")); // not made anew
    expect((await guest.act("hosta", "cancel")).exitCode).toBe(0);
  }, 4 * MINUTE);
});

describe("a guest with a TPM", () => {
  let guest: Guest;
  const directory = () => `/var/lib/libvirt/swtpm/${guest.uuid}/tpm2`;
  /** How often libvirt had a new TPM made for it: a state that was recovered is not made anew. */
  const timesMade = async () => Number((await rootOn("hosta", "grep -c 'Starting vTPM manufacturing' /var/log/swtpm/libvirt/qemu/one-252-swtpm.log")).stdout);
  const kept = () => `${guest.directory}/tpm/tpm2-00.permall`;
  beforeAll(async () => {
    guest = (await Guest.make(252)).with((xml) => xml.replace("</devices>", "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm></devices>"));
    expect(await rootOn("hosta", `${ONEVIRT} root install`)).toMatchObject({ exitCode: 0 });
  }, MINUTE);
  afterAll(async () => {
    await guest.remove("hosta");
    await rootOn("hosta", `${ONEVIRT} root uninstall; rm -rf /var/lib/libvirt/swtpm/${guest.uuid}`);
  }, MINUTE);

  test("sees it, also after save and restore", async () => {
    expect(await guest.deploy("hosta")).toEqual({ ...DONE, stdout: `${guest.uuid}\n` });
    await guest.ready("hosta", PATIENCE);
    expect(await guest.inside("hosta", "echo kept > /run/mark; ls -d /sys/class/tpm/tpm0")).toBe("/sys/class/tpm/tpm0\n");
    expect(await guest.call("hosta", "save", [guest.uuid, `${guest.directory}/checkpoint`, "hosta", "252", "hosta"], driverMessage())).toEqual(DONE);
    expect(await guest.call("hosta", "restore", [`${guest.directory}/checkpoint`, "hosta", guest.uuid, "252", "hosta"], driverMessage())).toEqual(DONE);
    await guest.ready("hosta");
    expect(await guest.inside("hosta", "cat /run/mark")).toBe("kept\n");
  }, 4 * MINUTE);

  test("17.1 row 11: through sudo its state is kept after shutdown and after cancel, as it was at the end, and the next start takes it up", async () => {
    const states: string[] = [];
    for (const action of ["shutdown", "cancel"]) {
      expect({ action, ...(await guest.act("hosta", action)) }).toEqual({ action, ...DONE });
      const state = await checksum(kept());
      expect({ action, domain: await guest.state("hosta"), state, owner: (await on("hosta", `stat -c '%U %a' ${kept()}`)).stdout }).toEqual({ action, domain: "gone", state: await checksum(`${directory()}/tpm2-00.permall`), owner: "oneadmin 600\n" });
      expect(states).not.toContain(state); // the guest has written to it since the last time
      states.push(state);
      await rootOn("hosta", `rm -rf /var/lib/libvirt/swtpm/${guest.uuid}`); // as on a host that never ran it
      const made = await timesMade();
      expect(made).toBeGreaterThan(0);
      expect(await guest.deploy("hosta")).toEqual({ ...DONE, stdout: `${guest.uuid}\n` });
      await guest.ready("hosta", PATIENCE);
      expect({ action, sees: await guest.inside("hosta", "ls -d /sys/class/tpm/tpm0"), made: await timesMade() }).toEqual({ action, sees: "/sys/class/tpm/tpm0\n", made });
    }
  }, 4 * MINUTE);
});
