import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { Guest, on, rootOn, settingsOn, syncedTree, until } from "../support/lab.ts";
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
const virsh = async (line: string) => (await on("hosta", `virsh -c qemu:///system ${line}`)).stdout;

describe("save and restore of a running guest", () => {
  const checkpoint = () => `${guest.directory}/checkpoint`;
  const save = (stdin = driverMessage()) => guest.call("hosta", "save", [guest.uuid, checkpoint(), "hosta", String(guest.vmid), "hosta"], stdin);
  const restore = (stdin = driverMessage()) => guest.call("hosta", "restore", [checkpoint(), "hosta", guest.uuid, String(guest.vmid), "hosta"], stdin);

  test("save stops it and leaves a checkpoint; restore lets it go on where it was", async () => {
    await guest.inside("hosta", "echo kept > /run/mark");
    const before = await uptime();
    expect(await save()).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect({ state: await guest.state("hosta"), head: readFileSync(checkpoint()).subarray(0, 16).toString() }).toEqual({ state: "gone", head: "LibvirtQemudSave" });
    expect(await restore()).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    await guest.ready("hosta");
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
    await on("hosta", `mv ${checkpoint()}.good ${checkpoint()}`);
    expect((await restore()).exitCode).toBe(0);
  }, 2 * MINUTE);

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
    writeFileSync(rbd, `#!/bin/sh\necho "$*" >> ${guest.directory}/pool/calls\ncase "$*" in *import*) cp "$5" ${guest.directory}/pool/image;; *export*) cp ${guest.directory}/pool/image "$4";; *rm*) rm ${guest.directory}/pool/image;; esac\n`);
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

    await guest.act("hosta", "cancel");
    await guest.deploy("hosta");
    expect((await virsh(`snapshot-list --name ${guest.uuid}`)).trim()).toBe("snap-1");
  }, 3 * MINUTE);

  test("snapshot_create of a raw disk is one clear error, and the guest goes on", async () => {
    const raw = await Guest.make(203);
    const other = raw.with((xml) => xml.replace("type='qcow2'", "type='raw'").replace(/<kernel>[\s\S]*?<\/cmdline>/, "")); // it need not boot
    try {
      await on("hosta", `qemu-img create -q -f raw ${raw.directory}/disk.0 8M`);
      await other.deploy("hosta");
      const refused = await other.call("hosta", "snapshot_create", [other.uuid, "0", "203", "hosta"]);
      expect({ code: refused.exitCode, stderr: refused.stderr, state: await other.state("hosta") }).toEqual({ code: 1, stderr: expect.stringContaining("unsupported for storage type raw"), state: "running" });
    } finally {
      await raw.remove("hosta");
    }
  }, MINUTE);
});

describe("commands in a guest", () => {
  beforeAll(() => guest.ready("hosta"), MINUTE); // the snapshots left it booting

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
});
