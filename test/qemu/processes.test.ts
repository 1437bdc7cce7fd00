import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { quoteWord } from "../../src/codec/shell-word.ts";
import { ACTION_NAMES, EVERY_ACTION } from "../support/every-action.ts";
import { DATASTORE, Guest, lab, on, REMOTE, rootOn, settingsOn, syncedTree, withDrive } from "../support/lab.ts";
import { driverMessage } from "../unit/actions/message.ts";

const MINUTE = 60_000;
let tree = "";
let guest: Guest;

beforeAll(async () => {
  tree = await syncedTree(["hosta"]);
  guest = (await Guest.make(241, "--memory", "256")).with(withDrive);
  await guest.deploy("hosta");
  await guest.ready("hosta");
  await on("hosta", `cd ${guest.directory} && qemu-img create -q -f qcow2 disk.1 4M && truncate -s 512K disk.2`);
}, 2 * MINUTE);
afterAll(async () => {
  await guest.remove("hosta");
  rmSync(tree, { recursive: true, force: true });
});

/** What sshd gives to a command of oneadmin. */
const ONEADMIN = "env -i HOME=/var/lib/one USER=oneadmin LOGNAME=oneadmin PATH=/usr/local/bin:/usr/bin:/bin:/usr/games";

/**
 * Calls an action as oneadmin while the kernel tells of each program that is executed: how it ended, and the programs of all processes
 * but the one that oned started, in order, also those that libvirt, ssh or sudo start for us. Only root can watch what sudo does.
 */
async function watched(action: string, words: readonly string[], stdin: string) {
  const log = `/tmp/onevirt-programs-241-${action}`;
  const line = `echo ${Buffer.from(stdin).toString("base64")} | base64 -d | ${ONEADMIN} strace -u oneadmin -ff -ttt -qq -s 400 -e trace=execve -e signal=none -o ${log} ${REMOTE}/${action} ${words.map(quoteWord).join(" ")}`;
  const { exitCode, stdout, stderr } = await rootOn("hosta", line);
  const text = (await rootOn("hosta", `cd /tmp && for file in onevirt-programs-241-${action}.*; do sed "s/^/\${file##*.} /" $file; done | sort -k2n; rm -f ${log}.*`)).stdout; // a file for each process: in one, calls of two would break each other's lines
  const calls = [...text.matchAll(/^(\d+) \S+ execve\("([^"]+)", \[("[^\]]*)\].*= 0$/gm)].map(([, pid, path = "", argv = ""]) => ({ pid, name: nameOf(path, argv) }));
  return { result: { exitCode, stdout, stderr }, programs: calls.filter(({ pid }) => pid !== calls[0]?.pid).map(({ name }) => name), own: calls.filter(({ pid }) => pid === calls[0]?.pid).map(({ name }) => name) };
}

/** A program by its file, qemu-img with its command. */
function nameOf(path: string, argv: string): string {
  const name = path.split("/").at(-1) ?? "";
  return name === "qemu-img" ? `${name} ${argv.split('", "')[1] ?? ""}` : name;
}

describe("processes spawned on a real host", () => {
  test.each(ACTION_NAMES.filter((name) => !name.startsWith("migrate")))("%s succeeds and spawns none, with a plain kvmrc", async (action) => {
    if (["exec", "save", "shutdown"].includes(action)) await guest.ready("hosta"); // the ones before made it boot
    const { words, stdin } = EVERY_ACTION[action](guest);
    const { result, programs, own } = await watched(action, words, stdin);
    const answer = action === "snapshot_create" ? "snap-0\n" : action === "deploy" ? `${guest.uuid}\n` : "";
    expect({ action, ...result, stdout: action === "poll" ? "" : result.stdout, programs, own: own.map((each) => each.replace(/-(x86_64|aarch64)$/, "")) }).toEqual({ action, exitCode: 0, stdout: answer, stderr: "", programs: [], own: [action, "onevirt"] });
  }, MINUTE);
});

describe("programs that own the data", () => {
  const to = `${DATASTORE.replace(/0$/, "100")}/241`;
  const request = (shared: boolean, target: string) => `<VMM_DRIVER_ACTION_DATA><DISK_TARGET_PATH>${target}</DISK_TARGET_PATH><VM><ID>241</ID></VM><DATASTORE><BASE_PATH>${DATASTORE}</BASE_PATH><TEMPLATE><SHARED>${shared ? "YES" : "NO"}</SHARED></TEMPLATE></DATASTORE></VMM_DRIVER_ACTION_DATA>`;
  const words = (host: string) => [guest.uuid, host, "hosta", "241", "hosta"];
  const uefi = () => guest.with((xml) => xml.replace("</os>", `<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader><nvram format='qcow2'>${guest.directory}/241_VARS.fd</nvram></os>`).replace(/<kernel>[\s\S]*?<\/cmdline>/, ""));
  const listed = async (action: string, argv: readonly string[], stdin: string) => {
    const { result, programs } = await watched(action, argv, stdin);
    const more = result.stderr.replace(/^INFO: migrate: Migration of .*\n/gm, ""); // its progress, when it takes long
    expect({ action, code: result.exitCode, more }).toEqual({ action, code: 0, more: "" });
    return programs;
  };
  afterAll(() => rootOn("hosta", `rm -rf ${to}`));

  test("deploy of a UEFI guest starts qemu-img twice, and only the first time", async () => {
    const deploy = () => listed("deploy", [guest.file, "hosta", "241", "hosta"], uefi().xml);
    expect(await deploy()).toEqual(["qemu-img info", "qemu-img convert"]);
    await guest.act("hosta", "cancel");
    expect(await deploy()).toEqual([]);
    await guest.act("hosta", "cancel");
  }, MINUTE);

  test("cancel of a guest with a TPM starts sudo, and so does the deploy that takes its state up", async () => {
    const onevirt = "/var/tmp/one/onevirt/onevirt-$(uname -m)";
    const tpm = guest.with((xml) => xml.replace(/<kernel>[\s\S]*?<\/cmdline>/, "").replace("</devices>", "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm></devices>"));
    expect(await rootOn("hosta", `${onevirt} root install`)).toMatchObject({ exitCode: 0 });
    try {
      expect((await tpm.deploy("hosta")).exitCode).toBe(0);
      expect(await listed("cancel", [guest.uuid, "hosta", "241", "hosta"], "")).toEqual(["sudo", "vtpm_setup"]);
      expect(await listed("deploy", [guest.file, "hosta", "241", "hosta"], tpm.xml)).toEqual(["sudo", "vtpm_setup"]);
      expect(await listed("cancel", [guest.uuid, "hosta", "241", "hosta"], "")).toEqual(["sudo", "vtpm_setup"]);
    } finally {
      await rootOn("hosta", `${onevirt} root uninstall; rm -rf ${guest.directory}/tpm /var/lib/libvirt/swtpm/${guest.uuid}`);
    }
  }, MINUTE);

  test("save and restore with Ceph start rbd", async () => {
    const halted = guest.with((xml) => xml.replace(/<kernel>[\s\S]*?<\/cmdline>/, ""));
    await halted.deploy("hosta");
    const rbd = Buffer.from('#!/bin/sh\ncase $1 in import) cp "$4" "${0%/*}/image";; export) cp "${0%/*}/image" "$3";; esac\n').toString("base64");
    await on("hosta", `cd ${guest.directory} && echo ${rbd} | base64 -d > rbd && chmod 755 rbd`);
    await settingsOn(["hosta"], { kvmrc: `RBD=${guest.directory}/rbd\n` });
    const ceph = driverMessage({ datastore: "<TM_MAD>ceph</TM_MAD>" });
    expect(await listed("save", [guest.uuid, `${guest.directory}/checkpoint`, "hosta", "241", "hosta"], ceph)).toEqual(["rbd", "cp"]); // cp is the stand-in's
    expect(await listed("restore", [`${guest.directory}/checkpoint`, "hosta", guest.uuid, "241", "hosta"], ceph)).toEqual(["rbd", "cp", "rbd"]);
    await settingsOn(["hosta"]);
  }, MINUTE);

  test("a change of datastore starts qemu-img for each image, and rsync for documents", async () => {
    await on("hosta", `echo '<VM/>' > ${guest.directory}/vm.xml`);
    expect(await listed("migrate", words("hosta"), request(true, to))).toEqual(["rsync", "qemu-img info", "qemu-img create"]);
    await guest.act("hosta", "cancel");
  }, MINUTE);

  test("a migration of shared storage over qemu+tcp looks up the destination's own name; one that copies disks starts rsync too, and qemu-img to learn the size", async () => {
    await lab("sync", "hostb", tree);
    await settingsOn(["hosta", "hostb"], { kvmrc: "QEMU_PROTOCOL=qemu+tcp\nMIGRATE_OPTIONS=--unsafe\n" });
    const halted = guest.with((xml) => xml.replace(/<kernel>[\s\S]*?<\/cmdline>/, ""));
    try {
      await halted.deploy("hosta");
      expect((await listed("migrate", words("hostb"), request(true, guest.directory))).toSorted()).toEqual(["getent"]);
      await rootOn("hostb", `virsh -c qemu:///system destroy ${guest.uuid}`);
      await halted.deploy("hosta");
      await rootOn("hostb", `mount -t tmpfs -o size=64m,uid=$(id -u oneadmin),gid=$(id -g oneadmin),mode=755 none ${guest.directory}`);
      const programs = await listed("migrate", words("hostb"), request(false, guest.directory));
      expect([[...new Set(programs)].toSorted(), programs.filter((each) => each?.startsWith("qemu-img"))]).toEqual([["getent", "qemu-img info", "rsync", "ssh"], ["qemu-img info"]]);
    } finally {
      await rootOn("hostb", `virsh -c qemu:///system destroy ${guest.uuid}; umount -l ${guest.directory}`);
      await settingsOn(["hosta", "hostb"]);
    }
  }, MINUTE);

  test.each([["migrate", ["getent", "ssh"]], ["migrate_local", ["ssh", "ssh", "ssh"]]] as const)("%s over qemu+ssh starts one ssh for each connection to another host", async (action, expected) => {
    await lab("sync", "hostb", tree);
    await settingsOn(["hosta", "hostb"], { kvmrc: "QEMU_PROTOCOL=qemu+ssh\nMIGRATE_OPTIONS=--unsafe\n" });
    const halted = guest.with((xml) => xml.replace(/<kernel>[\s\S]*?<\/cmdline>/, ""));
    try {
      await halted.deploy("hosta");
      expect((await listed(action, words("hostb"), request(true, guest.directory))).toSorted()).toEqual([...expected]);
    } finally {
      await rootOn("hosta", `virsh -c qemu:///system destroy ${guest.uuid}`);
      await rootOn("hostb", `virsh -c qemu:///system destroy ${guest.uuid}`);
      await settingsOn(["hosta", "hostb"]);
    }
  }, MINUTE);
});
