import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { quoteWord } from "../../src/codec/shell-word.ts";
import { Guest, on, REMOTE, syncedTree } from "../support/lab.ts";
import { driverMessage } from "../unit/actions/message.ts";

const MINUTE = 60_000;
let tree = "";
let guest: Guest;

beforeAll(async () => {
  tree = await syncedTree(["hosta"]);
  guest = (await Guest.make(241, "--memory", "256")).with((xml) => xml.replace("<controller type='scsi'", "<disk type='file' device='cdrom'><target dev='sdz' bus='scsi'/><readonly/><address type='drive' controller='0' bus='0' target='25' unit='0'/></disk><controller type='scsi'"));
  await guest.deploy("hosta");
  await guest.ready("hosta");
  await on("hosta", `cd ${guest.directory} && qemu-img create -q -f qcow2 disk.1 4M && truncate -s 512K disk.2`);
}, 2 * MINUTE);
afterAll(async () => {
  await guest.remove("hosta");
  rmSync(tree, { recursive: true, force: true });
});

const template = (inner: string) => driverMessage({ vm: `<TEMPLATE>${inner}</TEMPLATE>` });
const DISK = template("<DISK><ATTACH>YES</ATTACH><DISK_ID>1</DISK_ID><TYPE>FILE</TYPE><DRIVER>qcow2</DRIVER><TARGET>vdb</TARGET></DISK>");
const MAC = "02:00:0a:00:02:41";
const NIC = template(`<NIC><ATTACH>YES</ATTACH><MAC>${MAC}</MAC><BRIDGE>onebr0</BRIDGE><TARGET>one-241-1</TARGET><MODEL>virtio</MODEL></NIC>`);
const RESIZE = template("<MEMORY>192</MEMORY><VCPU>1</VCPU><RESIZE><MEMORY>256</MEMORY><VCPU>1</VCPU></RESIZE>");

/** Every action on a running guest, in an order in which each can succeed. */
const calls: readonly (readonly [action: string, words: () => readonly string[], stdin: string])[] = [
  ["attach_disk", () => [guest.uuid, `${guest.directory}/disk.1`, "vdb", "1", "", "241", "hosta"], DISK],
  ["resize_disk", () => [guest.uuid, "1", "8", "", "hosta", "241", "hosta"], DISK],
  ["detach_disk", () => [guest.uuid, `${guest.directory}/disk.1`, "vdb", "1", "241", "hosta"], DISK],
  ["attach_nic", () => [guest.uuid, MAC, "onebr0", "virtio", "dummy", "one-241-1", "241", "hosta"], NIC],
  ["detach_nic", () => [guest.uuid, MAC, "241", "hosta"], NIC],
  ["resize", () => [guest.uuid, "241", "hosta"], RESIZE],
  ["reconfigure", () => [guest.uuid, "sdz", `${guest.directory}/disk.2`, "241", "hosta"], NIC],
  ["prereconfigure", () => [guest.uuid, "sdz", "241", "hosta"], NIC],
  ["snapshot_create", () => [guest.uuid, "0", "241", "hosta"], ""],
  ["snapshot_revert", () => [guest.uuid, "snap-0", "241", "hosta"], ""],
  ["snapshot_delete", () => [guest.uuid, "snap-0", "241", "hosta"], ""],
  ["exec", () => ["241", "hosta", "true"], ""],
  ["exec_cancel", () => ["241", "hosta"], ""],
  ["reboot", () => [guest.uuid, "hosta", "241", "hosta"], ""],
  ["reset", () => [guest.uuid, "hosta", "241", "hosta"], ""],
  ["save", () => [guest.uuid, `${guest.directory}/checkpoint`, "hosta", "241", "hosta"], driverMessage()],
  ["restore", () => [`${guest.directory}/checkpoint`, "hosta", guest.uuid, "241", "hosta"], driverMessage()],
  ["shutdown", () => [guest.uuid, "hosta", "241", "hosta"], ""],
];

describe("processes spawned on a real host", () => {
  test.each(calls)("%s succeeds and spawns none, with a plain kvmrc", async (action, words, stdin) => {
    if (["exec", "save", "shutdown"].includes(action)) await guest.ready("hosta"); // the ones before made it boot
    const trace = `/tmp/onevirt-trace-241-${action}`;
    const { exitCode, stderr } = await on("hosta", `ONEVIRT_TRACE=${trace} ${REMOTE}/${action} ${words().map(quoteWord).join(" ")}`, stdin);
    const spawned = await on("hosta", `grep -c ' process ' ${trace}; grep -c ' libvirt ' ${trace}; rm -f ${trace}`);
    const [processes, libvirt] = spawned.stdout.trim().split("\n").map(Number);
    expect({ action, exitCode, stderr, processes, libvirt: (libvirt ?? 0) > 0 || action === "exec_cancel" }).toEqual({ action, exitCode: 0, stderr: "", processes: 0, libvirt: true });
  }, MINUTE);
});
