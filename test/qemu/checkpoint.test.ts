import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { DATASTORE, Guest, on, REMOTE, rootOn, settingsOn, syncedTree, until, userMessage } from "../support/lab.ts";
import { driverMessage } from "../unit/actions/message.ts";

const MINUTE = 60_000;
const VMID = "201";
const DONE = { exitCode: 0, stdout: "", stderr: "" };
let tree = "";
/** One guest for all of it: each test leaves it running. */
let guest: Guest;

beforeAll(async () => {
  tree = await syncedTree(["hosta"]);
  guest = (await Guest.make(Number(VMID))).with((xml) => xml.replace("</devices>", "<graphics type='vnc' port='-1' autoport='yes' passwd='secret'/></devices>"));
  await guest.deploy("hosta");
  await guest.ready("hosta");
}, 2 * MINUTE);
afterAll(async () => {
  await guest.remove("hosta");
  rmSync(tree, { recursive: true, force: true });
});

const uptime = async () => Number((await guest.inside("hosta", "cut -d. -f1 /proc/uptime")).trim());
/** Does `work` while libvirt copies the guest's disk, slowly; `end` ends that copy. */
async function copying(work: (end: () => Promise<unknown>) => Promise<void>): Promise<void> {
  const copy = `${guest.directory}/copy`;
  await guest.inside("hosta", "dd if=/dev/urandom of=/dev/vda bs=1M seek=1 count=24 conv=fsync 2>/dev/null");
  await on("hosta", `qemu-img create -q -f qcow2 ${copy} 32M && virsh -c qemu:///system blockcopy ${guest.uuid} vda ${copy} --transient-job --bandwidth 1 --reuse-external`);
  await work(() => on("hosta", `virsh -c qemu:///system blockjob ${guest.uuid} vda --abort`));
  await on("hosta", `rm -f ${copy}`);
}

const virsh = async (line: string) => (await on("hosta", `virsh -c qemu:///system ${line}`)).stdout;

describe("save and restore of a running guest", () => {
  const checkpoint = () => `${guest.directory}/checkpoint`;
  const save = (stdin = driverMessage()) => guest.call("hosta", "save", [guest.uuid, checkpoint(), "hosta", String(guest.vmid), "hosta"], stdin);
  const restore = (stdin = driverMessage()) => guest.call("hosta", "restore", [checkpoint(), "hosta", guest.uuid, String(guest.vmid), "hosta"], stdin);

  test("save stops it and leaves a checkpoint; restore lets it go on where it was", async () => {
    await guest.inside("hosta", "echo kept > /run/mark; date -s '2020-01-01 00:00:00'");
    const before = await uptime();
    await on("hosta", `echo older > ${checkpoint()}`);
    expect(await save()).toEqual({ ...DONE, stderr: expect.stringMatching(/^INFO: save: Moving old checkpoint file .*\/checkpoint to .*\/checkpoint\.\d+\n$/) });
    expect({ state: await guest.state("hosta"), head: readFileSync(checkpoint()).subarray(0, 16).toString(), older: (await on("hosta", `cat ${checkpoint()}.*`)).stdout }).toEqual({ state: "gone", head: "LibvirtQemudSave", older: "older\n" });
    await settingsOn(["hosta"], { kvmrc: "SYNC_TIME=yes\n" });
    expect(await restore().finally(() => settingsOn(["hosta"]))).toEqual(DONE);
    await guest.ready("hosta");
    expect(Math.abs(Number(await guest.inside("hosta", "date +%s")) - Date.now() / 1000)).toBeLessThan(30); // SYNC_TIME
    expect({ mark: await guest.inside("hosta", "cat /run/mark"), later: (await uptime()) >= before, left: statSync(checkpoint(), { throwIfNoEntry: false }) }).toEqual({ mark: "kept\n", later: true, left: undefined });
  }, 2 * MINUTE);

  test("17.1 row 6: the console has its password after save and restore", async () => {
    expect(await rootOn("hosta", `virsh -c qemu:///system dumpxml --security-info ${guest.uuid} | grep -o "passwd='[^']*'"`)).toMatchObject({ stdout: "passwd='secret'\n" });
    expect((await rootOn("hosta", `tr '\\0' ' ' < /proc/$(cat /run/libvirt/qemu/${guest.name}.pid)/cmdline`)).stdout).toContain("password=on");
  }, MINUTE);

  test("restore of a damaged checkpoint says what header it found and keeps everything", async () => {
    await save();
    await on("hosta", `cp ${checkpoint()} ${checkpoint()}.good && printf 'QFI\\373' | dd of=${checkpoint()} conv=notrunc status=none`);
    const refused = await restore();
    expect({ code: refused.exitCode, stderr: refused.stderr, state: await guest.state("hosta") }).toEqual({ code: 1, stderr: expect.stringContaining("it begins with 51 46 49 fb"), state: "gone" });
    await on("hosta", `head -c 1M ${checkpoint()}.good > ${checkpoint()}`);
    const cut = await restore();
    expect({ code: cut.exitCode, lines: userMessage(cut).split("\n").length, says: userMessage(cut), state: await guest.state("hosta"), kept: statSync(checkpoint()).size }).toEqual({
      code: 1, lines: 1, says: expect.stringContaining(`Could not restore from ${checkpoint()}: `), state: "gone", kept: 1024 ** 2,
    });
    await on("hosta", `mv ${checkpoint()}.good ${checkpoint()}`);
    expect((await restore()).exitCode).toBe(0);
  }, 2 * MINUTE);

  test("save waits for a copy of a disk, as the storage's live snapshots make it, and says so", async () => {
    const trace = `${guest.directory}/trace`;
    await copying(async (end) => {
      const saving = on("hosta", `rm -f ${trace}; ONEVIRT_TRACE=${trace} ${REMOTE}/save ${guest.uuid} ${checkpoint()} hosta ${VMID} hosta`, driverMessage());
      await until("libvirt has refused", async () => (await on("hosta", `grep -c ' virDomainSave' ${trace}`)).stdout.trim() >= "1", 60);
      await end();
      expect(await saving).toEqual({ ...DONE, stderr: expect.stringMatching(new RegExp(`^(INFO: save: save of "${guest.name}": a disk is being copied, trying again in 5 s\n)+$`)) });
    });
    expect(await restore()).toEqual(DONE);
  }, 2 * MINUTE);

  test("restore of a VM that runs already is a retry when it is the same one, and an error that keeps the file when it is not", async () => {
    const elsewhere = `${guest.directory}-elsewhere`;
    expect(await save()).toEqual(DONE);
    await on("hosta", `mkdir -p ${elsewhere} && cp ${checkpoint()} ${checkpoint()}.again && cp ${checkpoint()} ${elsewhere}/checkpoint`);
    try {
      expect(await restore()).toEqual(DONE);
      const id = (await virsh(`domid ${guest.uuid}`)).trim();
      await on("hosta", `mv ${checkpoint()}.again ${checkpoint()}`);
      expect(await restore()).toEqual({ ...DONE, stderr: `INFO: restore: Domain "${guest.name}" runs already in ${guest.directory}: this is a retry\n` });
      const foreign = await guest.call("hosta", "restore", [`${elsewhere}/checkpoint`, "hosta", guest.uuid, VMID, "hosta"], driverMessage());
      expect([foreign.exitCode, foreign.stdout, userMessage(foreign)]).toEqual([1, "", expect.stringMatching(/^Could not restore from [^\n]*: a domain "one-201" [^\n]* is running on this host already[^\n]*$/)]);
      expect({ id: (await virsh(`domid ${guest.uuid}`)).trim(), kept: (await on("hosta", `ls ${elsewhere}`)).stdout, used: (await on("hosta", `ls ${checkpoint()}`)).exitCode !== 0 }).toEqual({ id, kept: "checkpoint\n", used: true });
    } finally {
      await on("hosta", `rm -rf ${elsewhere}`);
    }
  }, 2 * MINUTE);

  test("restore of a guest that put itself to sleep wakes it, and needs no checkpoint", async () => {
    await guest.begin("hosta", "sleep 1; echo mem > /sys/power/state");
    await until("it sleeps", async () => (await guest.state("hosta")) === "pmsuspended", 20);
    expect(await restore()).toEqual(DONE);
    await until("it is awake", async () => (await guest.state("hosta")) === "running", 20);
    await guest.ready("hosta");
    expect(await guest.inside("hosta", "cat /run/mark")).toBe("kept\n");
  }, MINUTE);

  test("a disk that is full while the memory is saved: one clear error, no half checkpoint, and the guest goes on", async () => {
    const small = `${guest.directory}/small`;
    await rootOn("hosta", `mkdir -p ${small} && mount -t tmpfs -o size=4m,uid=$(id -u oneadmin),mode=755 none ${small}`);
    try {
      const { exitCode, stderr } = await guest.call("hosta", "save", [guest.uuid, `${small}/checkpoint`, "hosta", VMID, "hosta"], driverMessage());
      expect({ exitCode, stderr, left: (await on("hosta", `ls -A ${small}`)).stdout, state: await guest.state("hosta") }).toEqual({ exitCode: 1, stderr: expect.stringContaining(`Could not save ${guest.uuid} to ${small}/checkpoint: `), left: "", state: "running" });
      expect(await guest.inside("hosta", "cat /run/mark")).toBe("kept\n");
    } finally {
      await rootOn("hosta", `umount -l ${small}; rmdir ${small}`);
    }
  }, 2 * MINUTE);

  test("17.1 row 9: with Ceph, save imports the checkpoint and restore exports it, through rbd alone", async () => {
    const rbd = `${guest.directory}/rbd`;
    mkdirSync(`${guest.directory}/pool`, { recursive: true });
    chmodSync(`${guest.directory}/pool`, 0o777);
    writeFileSync(rbd, `#!/bin/sh\nif [ -e ${guest.directory}/pool/down ]; then echo "rbd: error connecting to the cluster" >&2; exit 1; fi\necho "$*" >> ${guest.directory}/pool/calls\ncase "$*" in *import*) cp "$5" ${guest.directory}/pool/image;; *export*) cp ${guest.directory}/pool/image "$4";; *rm*) rm ${guest.directory}/pool/image;; esac\n`);
    chmodSync(rbd, 0o755);
    await settingsOn(["hosta"], { kvmrc: `RBD="${rbd} --x"\n` });
    const ceph = driverMessage({ datastore: "<TM_MAD><![CDATA[ceph]]></TM_MAD>" });
    try {
      expect(await save(ceph)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
      expect(statSync(checkpoint(), { throwIfNoEntry: false })).toBeUndefined();
      expect(await restore(ceph)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
      expect(readFileSync(`${guest.directory}/pool/calls`, "utf8").split("\n").map((line) => line.replaceAll(guest.directory, "VMDIR"))).toEqual([
        "--x import --image-format 2 VMDIR/checkpoint one/one-sys-201-checkpoint", "--x export one/one-sys-201-checkpoint VMDIR/checkpoint.export", "--x rm one/one-sys-201-checkpoint", "",
      ]);
      expect(await guest.state("hosta")).toBe("running");

      writeFileSync(`${guest.directory}/pool/down`, "");
      expect(await restore(ceph)).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/: Error exporting checkpoint from one\/one-sys-201-checkpoint to .*error connecting to the cluster\.\n$/) });
      expect(await save(ceph)).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/: Error importing checkpoint into one\/one-sys-201-checkpoint: .*error connecting to the cluster\.\n$/) });
      // The file is the only copy, and newer than any image: from it the VM comes back, without asking the cluster.
      expect({ state: await guest.state("hosta"), head: readFileSync(checkpoint()).subarray(0, 16).toString() }).toEqual({ state: "gone", head: "LibvirtQemudSave" });
      expect(await restore(ceph)).toEqual({ ...DONE, stderr: expect.stringContaining("which is newer than one/one-sys-201-checkpoint") });
    } finally {
      await settingsOn(["hosta"]);
    }
  }, 2 * MINUTE);
});

describe("system snapshots of a running guest", () => {
  const write = (text: string) => guest.inside("hosta", `printf '%-16s' '${text}' | dd of=/dev/vda bs=16 count=1 conv=fsync 2>/dev/null`);
  const read = async () => (await guest.inside("hosta", "dd if=/dev/vda bs=16 count=1 iflag=direct 2>/dev/null || dd if=/dev/vda bs=16 count=1 2>/dev/null")).trim();

  test("snapshot_create, _revert and _delete: memory and disk go back, and libvirt knows the rest after a power cycle", async () => {
    await write("first");
    await guest.inside("hosta", "echo one > /run/mark");
    expect(await guest.call("hosta", "snapshot_create", [guest.uuid, "0", VMID, "hosta"])).toEqual({ exitCode: 0, stdout: "snap-0\n", stderr: "" });
    await write("second");
    await guest.inside("hosta", "echo two > /run/mark");
    expect((await guest.call("hosta", "snapshot_create", [guest.uuid, "1", VMID, "hosta"])).stdout).toBe("snap-1\n");
    expect(await guest.call("hosta", "snapshot_create", [guest.uuid, "1", VMID, "hosta"])).toMatchObject({ exitCode: 1, stdout: "", stderr: expect.stringContaining(`"${guest.name}" has a snapshot snap-1 already`) });
    expect({ mode: statSync(`${guest.directory}/snap-1.xml`).mode & 0o777, parent: readFileSync(`${guest.directory}/snap-1.xml`, "utf8").includes("<name>snap-0</name>") }).toEqual({ mode: 0o600, parent: true });

    expect(await guest.call("hosta", "snapshot_revert", [guest.uuid, "snap-0", VMID, "hosta"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    await guest.ready("hosta");
    expect({ disk: await read(), memory: await guest.inside("hosta", "cat /run/mark") }).toEqual({ disk: "first", memory: "one\n" });

    expect(await guest.call("hosta", "snapshot_delete", [guest.uuid, "snap-0", VMID, "hosta"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect({ listed: (await virsh(`snapshot-list --name ${guest.uuid}`)).trim(), file: statSync(`${guest.directory}/snap-0.xml`, { throwIfNoEntry: false }), parent: readFileSync(`${guest.directory}/snap-1.xml`, "utf8").includes("snap-0") }).toEqual({ listed: "snap-1", file: undefined, parent: false });

    for (const action of ["snapshot_revert", "snapshot_delete"])
      expect({ action, ...(await guest.call("hosta", action, [guest.uuid, "snap-7", VMID, "hosta"])) }).toMatchObject(action === "snapshot_delete" ? { exitCode: 0, stdout: "" } : { exitCode: 1, stdout: "", stderr: expect.stringContaining(`Could not revert to snapshot snap-7 for domain ${guest.uuid}`) });

    await on("hosta", `touch ${guest.directory}/snap-7.xml`);
    expect(await guest.call("hosta", "snapshot_delete", [guest.uuid, "snap-7", VMID, "hosta"])).toMatchObject({ exitCode: 1, stdout: "", stderr: expect.stringContaining(`Could not delete snapshot snap-7 for domain ${guest.uuid}: `) });
    expect((await on("hosta", `rm ${guest.directory}/snap-7.xml`)).exitCode).toBe(0); // what libvirt does not know stays kept

    await on("hosta", `chmod 555 ${guest.directory}`);
    const notKept = await guest.call("hosta", "snapshot_create", [guest.uuid, "2", VMID, "hosta"]);
    await on("hosta", `chmod 755 ${guest.directory}`);
    expect(notKept).toEqual({ exitCode: 0, stdout: "snap-2\n", stderr: expect.stringContaining("ERROR: snapshot_create: Snapshot snap-2 stands, but libvirt will not know it after the VM was off") });

    await guest.act("hosta", "cancel");
    await guest.deploy("hosta");
    expect((await virsh(`snapshot-list --name ${guest.uuid}`)).trim()).toBe("snap-1");
    expect(await guest.call("hosta", "snapshot_revert", [guest.uuid, "snap-1", VMID, "hosta"])).toEqual(DONE);
    await guest.ready("hosta");
    expect({ disk: await read(), memory: await guest.inside("hosta", "cat /run/mark"), "17.1 row 6": (await virsh(`dumpxml --security-info ${guest.uuid}`)).includes("passwd='secret'") }).toEqual({ disk: "second", memory: "two\n", "17.1 row 6": true });
  }, 3 * MINUTE);

  test.each([["snapshot_create", "4", "virDomainSnapshotCreateXML"], ["snapshot_revert", "snap-1", "virDomainRevertToSnapshot"]])("%s waits for a copy of a disk, and says so", async (action, name, asked) => {
    const trace = `${guest.directory}/trace`;
    await copying(async (end) => {
      const waiting = on("hosta", `rm -f ${trace}; ONEVIRT_TRACE=${trace} ${REMOTE}/${action} ${guest.uuid} ${name} ${VMID} hosta`);
      await until("libvirt has refused", async () => (await on("hosta", `grep -c ' ${asked}(' ${trace}`)).stdout.trim() >= "1", 60);
      await end();
      expect(await waiting).toEqual({ exitCode: 0, stdout: action === "snapshot_create" ? "snap-4\n" : "", stderr: expect.stringMatching(new RegExp(`^(INFO: ${action}: snapshot of "${guest.name}": a disk is being copied, trying again in 5 s\n)+$`)) });
    });
    if (action === "snapshot_create") expect(await guest.call("hosta", "snapshot_delete", [guest.uuid, "snap-4", VMID, "hosta"])).toEqual(DONE);
    else await guest.ready("hosta");
  }, 2 * MINUTE);

  test("snapshot_create that outlives its limit is unknown, not done, although libvirt names the snapshot already; it becomes done", async () => {
    const qemu = (await rootOn("hosta", `cat /run/libvirt/qemu/${guest.name}.pid`)).stdout.trim();
    await settingsOn(["hosta"], { conf: "LIMIT_SNAPSHOT_CREATE=6\n" });
    await rootOn("hosta", `kill -STOP ${qemu}`);
    try {
      const late = await guest.call("hosta", "snapshot_create", [guest.uuid, "5", VMID, "hosta"]);
      expect({ ...late, named: (await virsh(`snapshot-list --name ${guest.uuid}`)).includes("snap-5") }).toEqual({ exitCode: 3, stdout: "", stderr: expect.stringContaining("Outcome unknown: take snapshot snap-5"), named: true });
    } finally {
      await rootOn("hosta", `kill -CONT ${qemu}`);
      await settingsOn(["hosta"]);
    }
    await until("no job is left", async () => (await virsh(`domjobinfo ${guest.uuid}`)).includes("None"), 30);
    expect((await virsh(`snapshot-list --name ${guest.uuid}`)).trim()).toContain("snap-5");
    expect((await guest.call("hosta", "snapshot_delete", [guest.uuid, "snap-5", VMID, "hosta"])).exitCode).toBe(0);
  }, MINUTE);

  test("snapshot_create of a raw disk is one clear error, and the guest goes on; its checkpoint follows it to another system datastore", async () => {
    const elsewhere = `${DATASTORE.replace(/0$/, "100")}/203`;
    const raw = (await Guest.make(203)).with((xml) => xml.replace("type='qcow2'", "type='raw'").replace(/<kernel>[\s\S]*?<\/cmdline>/, "").replace(/<channel[\s\S]*?<\/channel>/, "")); // it need not boot
    try {
      await on("hosta", `qemu-img create -q -f raw ${raw.directory}/disk.0 8M`);
      await raw.deploy("hosta");
      const refused = await raw.call("hosta", "snapshot_create", [raw.uuid, "0", "203", "hosta"]);
      expect({ code: refused.exitCode, stderr: refused.stderr, state: await raw.state("hosta") }).toEqual({ code: 1, stderr: expect.stringContaining("unsupported for storage type raw"), state: "running" });
      expect(await raw.call("hosta", "save", [raw.uuid, `${raw.directory}/checkpoint`, "hosta", "203", "hosta"], driverMessage())).toEqual(DONE);
      await on("hosta", `mkdir -p ${elsewhere} && rmdir ${elsewhere} && mv ${raw.directory} ${elsewhere}`);
      await settingsOn(["hosta"], { kvmrc: "SYNC_TIME=yes\n" });
      const restored = await raw.call("hosta", "restore", [`${elsewhere}/checkpoint`, "hosta", raw.uuid, "203", "hosta"], driverMessage());
      expect(restored).toEqual({ ...DONE, stderr: expect.stringContaining("WARN: restore: The clock of the guest was not set") }); // it has no agent
      const paths = new Set((await virsh(`dumpxml ${raw.uuid}`)).match(/\/[^'<>\]]*\/203(\/[^'<>\]]*)?/g)); // also in its metadata
      expect({ state: await raw.state("hosta"), paths: [...paths].toSorted() }).toEqual({ state: "running", paths: [elsewhere, `${elsewhere}/console.log`, `${elsewhere}/disk.0`] });
    } finally {
      await settingsOn(["hosta"]);
      await raw.remove("hosta");
      rmSync(elsewhere, { recursive: true, force: true });
    }
  }, MINUTE);
});

describe("commands in a guest", () => {
  beforeAll(async () => {
    await guest.act("hosta", "cancel"); // the snapshots are of a guest that had slept, and such a one no longer hears its power button
    await guest.deploy("hosta");
    await guest.ready("hosta");
  }, MINUTE);

  const exec = (command: string, stdin?: string) => guest.call("hosta", "exec", [VMID, "hosta", command, ...(stdin === undefined ? [] : [Buffer.from(stdin).toString("base64")])]);
  const ended = () => until("the command has ended", async () => {
    const { stdout } = await on("hosta", "cat /var/run/one/one-201");
    return (await on("hosta", `virsh -c qemu:///system qemu-agent-command one-201 '{"execute":"guest-exec-status","arguments":{"pid":${stdout.trim()}}}'`)).stdout.includes('"exited":true');
  });

  test("exec hands words, quotes and stdin to the guest as they are", async () => {
    expect(await exec(`sh -c 'cat > /run/in; printf "%s|" "$@" > /run/args' sh "a b" 'c"d' '$(id)' ';'`, "it's\n")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    await ended();
    expect([await guest.inside("hosta", "cat /run/in"), await guest.inside("hosta", "cat /run/args")]).toEqual(["it's\n", 'a b|c"d|$(id)|;|']);
  }, MINUTE);

  test("17.1 row 13: exec with input, output of 1 MB and an exit status, as the probe vm/execution reports them, once", async () => {
    const probe = () => on("hosta", "/var/tmp/one/im/kvm-probes.d/vm/execution/exec.rb kvm 0 hosta");
    const line = `sh -c 'read -r word; printf "%s" "$word" >&2; head -c 1000000 /dev/zero | tr "\\000" "\\042"; exit 7'`;
    await probe(); // what the test before has left
    expect(await exec(line, `it's "$(id)"\n`)).toEqual(DONE);
    const pid = (await on("hosta", "cat /var/run/one/one-201")).stdout.trim();
    let reported = await probe(); // the agent gives a result once: nobody else may ask for it
    await until("the command has ended", async () => reported.stdout !== "" || (reported = await probe()).stdout !== "");
    const { exitCode, stdout, stderr } = reported;
    const [, out = "", err = ""] = / STDOUT="([^"]*)", STDERR="([^"]*)" \]\n$/.exec(stdout) ?? [];
    expect({ exitCode, stderr, head: stdout.slice(0, stdout.indexOf(" STDOUT=")), out: Buffer.from(out, "base64").equals(Buffer.alloc(1_000_000, '"')), err: Buffer.from(err, "base64").toString() }).toEqual({
      exitCode: 0, stderr: "", head: `VM = [ ID="201", PID="${pid}", STATUS="DONE", RETURN_CODE="7",`, out: true, err: `it's "$(id)"`,
    });
    expect(await probe()).toEqual(DONE);
  }, MINUTE);

  test("exec_cancel kills what runs, and nothing is fine too", async () => {
    await exec("sleep 1000");
    const refused = await exec("date");
    expect({ code: refused.exitCode, stderr: refused.stderr }).toEqual({ code: 1, stderr: expect.stringContaining("a command is running in the guest already") });
    expect((await guest.call("hosta", "exec_cancel", [VMID, "hosta"])).exitCode).toBe(0);
    await until("sleep is gone", async () => !(await guest.inside("hosta", "ps")).includes("sleep 1000"));
    expect(await guest.call("hosta", "exec_cancel", [VMID, "hosta"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  }, MINUTE);

  test("exec of what the guest does not have is one clear error", async () => {
    const refused = await exec("/no/such/program");
    expect({ code: refused.exitCode, stderr: refused.stderr.includes("/no/such/program") }).toEqual({ code: 1, stderr: true });
  }, MINUTE);

  test("a guest whose agent is silent: exec says so in time and keeps nothing, and shutdown gets through by ACPI", async () => {
    await guest.begin("hosta", "sleep 1; kill -STOP $(pidof qemu-ga)");
    await until("the agent is silent", async () => (await on("hosta", `virsh -c qemu:///system qemu-agent-command ${guest.name} --timeout 1 '{"execute":"guest-ping"}'`)).exitCode !== 0, 20);
    const refused = await exec("date");
    expect({ code: refused.exitCode, says: userMessage(refused), kept: (await on("hosta", "ls /var/run/one/one-201")).exitCode === 0 }).toEqual({ code: 1, says: expect.stringMatching(/^Error executing the command in VM 201: [^\n]*Guest agent is not responding[^\n]*$/), kept: false });
    expect(await guest.call("hosta", "exec_cancel", [VMID, "hosta"])).toEqual(DONE);
    expect(await guest.act("hosta", "shutdown")).toMatchObject({ exitCode: 0, stdout: "" });
    expect(await guest.state("hosta")).toBe("gone");
  }, 2 * MINUTE);
});
