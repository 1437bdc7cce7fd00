import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { ACTION_NAMES, atOnce } from "../support/every-action.ts";
import { Guest, on, rootOn, settingsOn, syncedTree, until, userMessage } from "../support/lab.ts";
import { driverMessage } from "../unit/actions/message.ts";

const MINUTE = 60_000;
const DONE = { exitCode: 0, stdout: "", stderr: "" };
/** Of a guest that need not boot: its firmware waits for a disk, and hears no button. */
const withoutKernel = (xml: string) => xml.replace(/<kernel>[\s\S]*?<\/cmdline>/, "");
let tree = "";

beforeAll(async () => {
  tree = await syncedTree(["hosta"]);
}, MINUTE);
afterAll(() => rmSync(tree, { recursive: true, force: true }));

/** One line of the poll as numbers by key. */
function numbers(line: string): Record<string, number> {
  return Object.fromEntries(line.trim().split(" ").map((pair) => pair.split("=")).map(([key, value]) => [key, Number(value)]));
}

describe("a Linux guest on qemu:///system", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await Guest.make(101, "--touch");
  }, MINUTE);
  afterAll(() => guest.remove("hosta"));

  test("deploy starts it, prints its UUID, and keeps the document", async () => {
    expect(await guest.deploy("hosta")).toEqual({ exitCode: 0, stdout: `${guest.uuid}\n`, stderr: "" });
    expect({ state: await guest.state("hosta"), document: readFileSync(guest.file, "utf8").includes(guest.uuid) }).toEqual({ state: "running", document: true });
  }, MINUTE);

  test("deploy again, as after a lost answer, prints the same UUID and starts nothing", async () => {
    const again = await guest.deploy("hosta");
    expect({ code: again.exitCode, stdout: again.stdout }).toEqual({ code: 0, stdout: `${guest.uuid}\n` });
  }, MINUTE);

  test("deploy of another VM under its name fails and touches nothing", async () => {
    const other = guest.with((xml) => xml.replace(guest.uuid, "aaaaaaaa-0000-4000-8000-000000000001"));
    const result = await other.deploy("hosta");
    expect({ code: result.exitCode, stdout: result.stdout, stderr: result.stderr }).toEqual({ code: 1, stdout: "", stderr: expect.stringContaining(`a domain "one-101" with UUID ${guest.uuid} is running on this host already`) });
    expect(await guest.state("hosta")).toBe("running");
  }, MINUTE);

  test("poll reports its CPU, memory, network and disk", async () => {
    await guest.ready("hosta");
    await until("its disk and network counters move", async () => {
      const now = numbers((await guest.act("hosta", "poll")).stdout);
      return (now.DISKRDBYTES ?? 0) > 1_000_000 && (now.DISKWRBYTES ?? 0) > 0 && (now.NETRX ?? 0) + (now.NETTX ?? 0) > 0;
    });
    const { stdout, exitCode, stderr } = await guest.act("hosta", "poll");
    const { CPU = -1, MEMORY = 0 } = numbers(stdout);
    expect({ exitCode, stderr, keys: stdout.trim().split(" ").map((pair) => pair.split("=")[0]) }).toEqual({ exitCode: 0, stderr: "", keys: ["STATE", "CPU", "MEMORY", "NETRX", "NETTX", "DISKRDBYTES", "DISKWRBYTES", "DISKRDIOPS", "DISKWRIOPS"] });
    expect({ cpu: CPU >= 0 && CPU < 400, memory: MEMORY > 50_000 && MEMORY < 1_000_000 }).toEqual({ cpu: true, memory: true });
  }, MINUTE);

  /** Another number for each time that the guest has booted. */
  const boot = async () => {
    await guest.ready("hosta");
    return guest.inside("hosta", "cat /proc/sys/kernel/random/boot_id");
  };
  /** The agent of the old boot may still answer for a moment. */
  const bootedAgain = (before: string) => until("it has booted again", async () => (await boot().catch(() => before)) !== before);

  test("reboot and reset make the guest boot again, on qemu:///system and on a URI of kvmrc", async () => {
    const first = await boot();
    expect(await guest.act("hosta", "reboot")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    await bootedAgain(first);
    await settingsOn(["hosta"], { kvmrc: "export LIBVIRT_URI=qemu+tcp://localhost/system\n" });
    try {
      expect((await guest.act("hosta", "poll")).stdout).toMatch(/^STATE=a CPU=/);
      expect(await guest.act("hosta", "poll", "one-101")).toMatchObject({ exitCode: 0 });
      const second = await boot();
      expect(await guest.act("hosta", "reset")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
      await bootedAgain(second);
    } finally {
      await settingsOn(["hosta"]);
    }
  }, 2 * MINUTE);

  test("shutdown through the agent takes seconds and ends it", async () => {
    await guest.ready("hosta");
    expect(await guest.act("hosta", "shutdown")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect(await guest.state("hosta")).toBe("gone");
  }, MINUTE);

  test("of what is gone, only what wants it gone succeeds: each other action is one clear error, and leaves nothing", async () => {
    const before = (await on("hosta", `ls -A ${guest.directory}`)).stdout;
    const results = await atOnce("hosta", guest, ACTION_NAMES.filter((name) => name !== "deploy"));
    const done = ["poll", "detach_nic", "exec_cancel", "shutdown", "cancel"];
    for (const [action, result] of results)
      expect({ action, code: result.exitCode, stdout: result.stdout, says: userMessage(result) }).toEqual(done.includes(action)
        ? { action, code: 0, stdout: action === "poll" ? "STATE=-\n" : "", says: "" }
        : { action, code: 1, stdout: "", says: expect.stringMatching(action === "restore" ? /^Could not restore from .*there is no such file\.[^\n]*$/ : /^[^\n]*there is no domain "[^\n]*$/) });
    expect((await on("hosta", `ls -A ${guest.directory}`)).stdout).toBe(before);
  }, MINUTE);
});

describe("a guest without agent", () => {
  test("is shut down by ACPI in seconds, and by cancel at once", async () => {
    const guest = (await Guest.make(102)).with((xml) => xml.replace(/<channel[\s\S]*?<\/channel>/, ""));
    try {
      await guest.deploy("hosta");
      await guest.says("hosta", "onevirt-guest ready");
      expect(await guest.act("hosta", "shutdown")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
      await guest.deploy("hosta");
      expect(await guest.act("hosta", "cancel", "one-102")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
      expect(await guest.state("hosta")).toBe("gone");
    } finally {
      await guest.remove("hosta");
    }
  }, MINUTE);

  test("cancel with an empty deploy id finds it by its number", async () => {
    const guest = await Guest.make(103);
    try {
      await guest.deploy("hosta");
      expect((await guest.act("hosta", "cancel", "")).exitCode).toBe(0);
      expect(await guest.state("hosta")).toBe("gone");
    } finally {
      await guest.remove("hosta");
    }
  }, MINUTE);
});

describe("a domain that is defined, as that of an imported VM", () => {
  test("ends inactive, which is what was asked for, at once and again; what needs a running one says so", async () => {
    const guest = (await Guest.make(110)).with(withoutKernel);
    await on("hosta", `cat > ${guest.file} && virsh -c qemu:///system define ${guest.file} && virsh -c qemu:///system start ${guest.name}`, guest.xml);
    try {
      for (const action of ["cancel", "cancel", "shutdown"]) expect({ action, ...(await guest.act("hosta", action)), state: await guest.state("hosta") }).toEqual({ action, ...DONE, state: "shut off" });
      for (const action of ["reboot", "reset"]) expect(await guest.act("hosta", action)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("domain is not running") });
      const attached = await guest.call("hosta", "attach_disk", [guest.name, `${guest.directory}/disk.0`, "vdb", "1", "", "110", "hosta"], driverMessage({ vm: "<TEMPLATE><DISK><ATTACH>YES</ATTACH></DISK></TEMPLATE>" }));
      expect(attached).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('"one-110" is not running') });
      expect(await guest.deploy("hosta")).toMatchObject({ exitCode: 0, stdout: `${guest.uuid}\n` }); // in the place of the one that is off
    } finally {
      await guest.remove("hosta");
      await on("hosta", `virsh -c qemu:///system undefine ${guest.uuid}`);
    }
  }, MINUTE);
});

describe("an oned of 5.6", () => {
  test("gets the name, and errors between its markers", async () => {
    const guest = (await Guest.make(111)).with(withoutKernel);
    const version = (await on("hosta", "cat /var/tmp/one/VERSION; echo 5.6.0 > /var/tmp/one/VERSION")).stdout;
    try {
      expect(await guest.deploy("hosta")).toEqual({ ...DONE, stdout: "one-111\n" });
      const other = guest.with((xml) => xml.replace(guest.uuid, "aaaaaaaa-0000-4000-8000-000000000111"));
      expect(await other.deploy("hosta")).toMatchObject({ exitCode: 1, stdout: "", stderr: expect.stringMatching(/ERROR MESSAGE --8<------\nCould not create domain from .*\nERROR MESSAGE ------>8--\n$/) });
      const nic = ["02:00:0a:00:01:11", "onebr0", "virtio", "dummy", "one-111-1"];
      const message = driverMessage({ vm: `<TEMPLATE><NIC><ATTACH>YES</ATTACH><MAC>${nic[0]}</MAC><BRIDGE>onebr0</BRIDGE></NIC></TEMPLATE>` });
      expect(await guest.call("hosta", "attach_nic", ["one-111", ...nic, "111", "hosta"], message)).toEqual(DONE);
      expect((await guest.act("hosta", "poll", "one-111")).stdout).toMatch(/^STATE=a CPU=\S+ MEMORY=\d+ NETRX=\d+ NETTX=\d+/);
      expect([await guest.act("hosta", "cancel", "one-111"), await guest.act("hosta", "shutdown", "one-111")]).toEqual([DONE, DONE]);
    } finally {
      await rootOn("hosta", `echo '${version.trim()}' > /var/tmp/one/VERSION`);
      await guest.remove("hosta");
    }
  }, MINUTE);
});

describe("a guest that will not power off", () => {
  const inKvmrc = async (kvmrc: string, work: () => Promise<void>): Promise<void> => {
    await settingsOn(["hosta"], { kvmrc });
    await work().finally(() => settingsOn(["hosta"]));
  };

  test("keeps running without FORCE_DESTROY, and is destroyed with it", async () => {
    const guest = (await Guest.make(104)).with(withoutKernel).with((xml) => xml.replace(/<channel[\s\S]*?<\/channel>/, ""));
    try {
      await guest.deploy("hosta");
      await inKvmrc("SHUTDOWN_TIMEOUT=3\n", async () => {
        const refused = await guest.act("hosta", "shutdown");
        expect({ code: refused.exitCode, message: refused.stderr, state: await guest.state("hosta") }).toEqual({ code: 1, message: expect.stringContaining("Timed out shutting down one-104"), state: "running" });
      });
      await inKvmrc("SHUTDOWN_TIMEOUT=3\nFORCE_DESTROY=yes\n", async () => {
        const forced = await guest.act("hosta", "shutdown");
        expect({ code: forced.exitCode, logged: forced.stderr.includes("Destroying it"), state: await guest.state("hosta") }).toEqual({ code: 0, logged: true, state: "gone" });
      });
      const deaf = guest.with((xml) => xml.replace("<features><acpi/></features>", ""));
      expect(await deaf.deploy("hosta")).toMatchObject({ exitCode: 0 });
      await inKvmrc("SHUTDOWN_TIMEOUT=120\nCANCEL_NO_ACPI=yes\n", async () => {
        expect(await deaf.act("hosta", "shutdown")).toEqual({ ...DONE, stderr: expect.stringContaining('"one-104" has no ACPI: it is powered off at once') });
      });
    } finally {
      await guest.remove("hosta");
    }
  }, MINUTE);

  test("is destroyed at once when it is paused and FORCE_DESTROY is set, else shutdown fails at once; reboot is taken", async () => {
    const guest = (await Guest.make(105)).with(withoutKernel);
    try {
      await guest.deploy("hosta");
      await on("hosta", `virsh -c qemu:///system suspend ${guest.uuid}`);
      expect(await guest.act("hosta", "reboot")).toEqual(DONE);
      await inKvmrc("SHUTDOWN_TIMEOUT=120\n", async () => {
        const refused = await guest.act("hosta", "shutdown");
        expect({ code: refused.exitCode, says: userMessage(refused), state: await guest.state("hosta") }).toEqual({ code: 1, says: expect.stringContaining("domain is not running"), state: "paused" });
      });
      await inKvmrc("SHUTDOWN_TIMEOUT=120\nFORCE_DESTROY=yes\n", async () => {
        expect({ code: (await guest.act("hosta", "shutdown")).exitCode, state: await guest.state("hosta") }).toEqual({ code: 0, state: "gone" });
      });
    } finally {
      await guest.remove("hosta");
    }
  }, MINUTE);
});

describe("deploy", () => {
  test("resolves the links of disks, one level deep", async () => {
    const guest = await Guest.make(106);
    try {
      await on("hosta", `cd ${guest.directory} && mkdir disk.0.snap && mv disk.0 disk.0.snap/0 && ln -s disk.0.snap/0 disk.0`);
      await guest.deploy("hosta");
      const { stdout } = await on("hosta", `virsh -c qemu:///system domblklist ${guest.uuid}`);
      expect(stdout).toContain(`${guest.directory}/disk.0.snap/0`);
    } finally {
      await guest.remove("hosta");
    }
  }, MINUTE);

  test("redefines system snapshots under the new UUID, parents first, and from another system datastore; the VM goes back to one there", async () => {
    const guest = await Guest.make(107);
    const moved = guest.directory.replace("/0/", "/100/");
    const renewed = guest.with((xml) => xml.replace(guest.uuid, "bbbbbbbb-0000-4000-8000-000000000107").replaceAll(guest.directory, moved));
    try {
      await guest.deploy("hosta");
      await on("hosta", `cd ${guest.directory} && for n in 0 1; do virsh -c qemu:///system snapshot-create-as ${guest.uuid} snap-$n >/dev/null && virsh -c qemu:///system snapshot-dumpxml --security-info ${guest.uuid} snap-$n > snap-$n.xml; done`);
      await guest.act("hosta", "cancel");
      await on("hosta", `mkdir -p ${moved} && rmdir ${moved} && mv ${guest.directory} ${moved}`);
      expect(await guest.call("hosta", "deploy", [`${moved}/deployment.1`, "hosta", "107", "hosta"], renewed.xml)).toEqual({ ...DONE, stdout: "bbbbbbbb-0000-4000-8000-000000000107\n" });
      const { stdout } = await on("hosta", "virsh -c qemu:///system snapshot-list --tree one-107");
      expect(stdout.replace(/\s+/g, " ").trim()).toBe("snap-0 | +- snap-1");
      expect(await guest.call("hosta", "snapshot_revert", ["one-107", "snap-0", "107", "hosta"])).toEqual(DONE);
      expect((await on("hosta", "virsh -c qemu:///system domblklist one-107")).stdout).toContain(`${moved}/disk.0`);
    } finally {
      await on("hosta", "virsh -c qemu:///system destroy one-107");
      await guest.remove("hosta");
      rmSync(moved, { recursive: true, force: true });
    }
  }, MINUTE);

  test("17.1 row 12: makes the UEFI variables once and never again", async () => {
    const guest = (await Guest.make(108)).with((xml) => xml.replace("</os>", "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader><nvram format='qcow2'>/var/lib/one/datastores/0/108/n_VARS.fd</nvram></os>").replace(/machine='[^']*'/, "machine='q35'"));
    await settingsOn(["hosta"], { kvmrc: "OVMF_NVRAM=/usr/share/OVMF/OVMF_VARS.fd\n" });
    try {
      const nvram = `${guest.directory}/n_VARS.fd`;
      expect(await guest.deploy("hosta")).toMatchObject({ exitCode: 0, stderr: "" });
      expect((await on("hosta", `qemu-img info -U ${nvram}`)).stdout).toContain("file format: qcow2");
      await guest.act("hosta", "cancel");
      writeFileSync(`${nvram}.mark`, readFileSync(nvram));
      await guest.deploy("hosta");
      await guest.act("hosta", "cancel");
      expect((await on("hosta", `qemu-img compare -f qcow2 -F qcow2 ${nvram} ${nvram}.mark`)).stdout).toContain("Images are identical");
    } finally {
      await guest.remove("hosta");
      await settingsOn(["hosta"]);
    }
  }, MINUTE);

  test("17.1 row 5: a TPM_STATE archive that holds a deployment file replaces nothing", async () => {
    const guest = (await Guest.make(109)).with((xml) => xml.replace("</devices>", "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm></devices>"));
    try {
      await on("hosta", `cd ${guest.directory} && mkdir -p a/tpm && echo '<domain>evil</domain>' > a/deployment.0 && echo state > a/tpm/tpm2-00.permall && (echo '<VM><USER_TEMPLATE><TPM_STATE><![CDATA['; tar -C a -cz deployment.0 tpm | base64 -w0; echo ']]></TPM_STATE></USER_TEMPLATE></VM>') > vm.xml && rm -r a`);
      await guest.deploy("hosta"); // whether it starts depends on swtpm and the root helper; what it writes does not
      expect({ document: readFileSync(guest.file, "utf8").includes("evil"), state: readFileSync(`${guest.directory}/tpm/tpm2-00.permall`, "utf8") }).toEqual({ document: false, state: "state\n" });
    } finally {
      await guest.remove("hosta");
    }
  }, MINUTE);
});
