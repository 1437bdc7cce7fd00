// A migration between two hosts of the lab and back, on shared storage, against the virsh calls of upstream's. As oneadmin on the first host.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { agent } from "./host-agent.ts";
import { compete, type Row } from "./rows.ts";

const LAUNCHER = "/var/tmp/one/vmm/kvm/migrate";
const VM = "one-2193";
const DATASTORE = "/var/lib/one/datastores/0";
const DIRECTORY = `${DATASTORE}/2193`;
const OPTIONS = "--unsafe"; // the lab's storage is one file system for both
const ROUNDS = 7;

const DOCUMENT = `<domain type='qemu'><name>${VM}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu><os><type>hvm</type></os>
  <devices><disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/><source file='${DIRECTORY}/disk.0'/><target dev='vda' bus='virtio'/></disk></devices></domain>`;
const MESSAGE = `<VMM_DRIVER_ACTION_DATA><DISK_TARGET_PATH>${DIRECTORY}</DISK_TARGET_PATH><VM><ID>2193</ID></VM><DATASTORE><BASE_PATH>${DATASTORE}</BASE_PATH><TEMPLATE><SHARED>YES</SHARED></TEMPLATE></DATASTORE></VMM_DRIVER_ACTION_DATA>`;

/** Whoever comes back is called by ssh, on both sides of the comparison. */
const on = (host: string, line: string) => (host === "hosta" ? line : `ssh ${host} '${line}'`);
const ours = (from: string, to: string) => on(from, `${LAUNCHER} ${VM} ${to} ${from} 2193 ${from} < ${DIRECTORY}/message >/dev/null`);
const VIRSH = "virsh -q -c qemu:///system";
const virsh = (from: string, to: string) => on(from, `${VIRSH} snapshot-list --name ${VM} >/dev/null; ${VIRSH} snapshot-current --name ${VM} >/dev/null 2>&1 || true; ${VIRSH} migrate --live ${OPTIONS} ${VM} qemu+ssh://${to}/system`);
const oursFromElsewhere = (from: string, to: string) => `${LAUNCHER}_local ${VM} ${to} ${from} 2193 ${from} < ${DIRECTORY}/message >/dev/null`;
const virshFromElsewhere = (from: string, to: string) => `virsh -q -c qemu+ssh://${from}/system migrate --live ${OPTIONS} ${VM} qemu+ssh://${to}/system`;
const thereAndBack = (way: typeof ours) => ["sh", "-ec", `${way("hosta", "hostb")}\n${way("hostb", "hosta")}`];

/** What is dearer here are the looks before and the questions to both sides afterwards. */
export function migrations(): readonly Row[] {
  mkdirSync(DIRECTORY, { recursive: true });
  writeFileSync(`${DIRECTORY}/message`, MESSAGE);
  writeFileSync(`${DIRECTORY}/document`, DOCUMENT);
  must(`qemu-img create -q -f qcow2 ${DIRECTORY}/disk.0 64M; ${VIRSH} create ${DIRECTORY}/document`);
  try {
    agent("start");
    agent("start", "hostb");
    return compete("migrate", [
      { name: "migrate there and back, of 16 MiB", command: thereAndBack(ours), against: { name: "3 x virsh, there and back", command: thereAndBack(virsh) }, promised: 1 },
      { name: "migrate_local there and back, of 16 MiB", command: thereAndBack(oursFromElsewhere), against: { name: "1 x virsh from elsewhere, there and back", command: thereAndBack(virshFromElsewhere) }, promised: 1 },
    ], ROUNDS);
  } finally {
    agent("stop", "hostb");
    agent("stop");
    must(`for host in hosta hostb; do ssh $host ${VIRSH} destroy ${VM} 2>/dev/null || true; done`);
    rmSync(DIRECTORY, { recursive: true, force: true });
  }
}

function must(line: string): void {
  const { exitCode, stderr } = Bun.spawnSync(["sh", "-ec", line], { stdout: "ignore" });
  if (exitCode !== 0) throw new Error(`${line} failed: ${stderr.toString()}`);
}
