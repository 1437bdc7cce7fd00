// Every action that upstream does with virsh, against the virsh calls that upstream makes for it. On a Linux guest, as oneadmin.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { compete, type Contest, type Row } from "./rows.ts";

const LAUNCHERS = "/var/tmp/one/vmm/kvm";
const DIRECTORY = "/var/lib/one/datastores/0/2101";
const WORK = `/tmp/onevirt-bench-actions-${process.pid}`;
const VIRSH = "virsh -q -c qemu:///system";
const VM = "one-2101";

/** 16 MiB and an empty disk: QEMU's own part, which is the same for both, then leaves the rest to be seen. */
const small = (id: string) => ({ id, vm: `one-${id}`, directory: `/var/lib/one/datastores/0/${id}`, xml: `${WORK}/${id}.xml` });
const [SNAPPED, STARTED, SAVED] = [small("2190"), small("2191"), small("2192")];
type Small = ReturnType<typeof small>;

const ROUNDS = 21;

/** A Linux guest that is started and shut down. */
const ENDED = "one-2102";

/** One action, or a pair that leaves the VM as it was, with the virsh calls of both. */
interface Duel {
  readonly name: string;
  readonly ours: readonly string[];
  readonly virsh: readonly string[];
  /** The ratio that the specification promises: 1 for one call of virsh, 0.5 for three and more where QEMU's own work leaves anything to be seen. */
  readonly promised: number;
  /** The same of the processor, without QEMU's work: 0.5 for three and more calls of virsh in one action. */
  readonly promisedCpu?: number;
  readonly before?: readonly string[];
  readonly rounds?: number;
}

const message = (inner: string) => `<VMM_DRIVER_ACTION_DATA><VM><ID>2101</ID><TEMPLATE>${inner}</TEMPLATE></VM><DATASTORE/></VMM_DRIVER_ACTION_DATA>`;
const MAC = "02:00:0a:00:21:01";
const FILES = {
  disk: message("<DISK><ATTACH>YES</ATTACH><DISK_ID>1</DISK_ID><TYPE>FILE</TYPE><DRIVER>raw</DRIVER><TARGET>vdb</TARGET></DISK>"),
  nic: message(`<NIC><ATTACH>YES</ATTACH><MAC>${MAC}</MAC><BRIDGE>onebr0</BRIDGE><TARGET>one-2101-1</TARGET><MODEL>virtio</MODEL></NIC>`),
  resize: message("<MEMORY>128</MEMORY><VCPU>1</VCPU><RESIZE><MEMORY>129</MEMORY><VCPU>1</VCPU></RESIZE>"),
  grow: message("<DISK><DISK_ID>0</DISK_ID><TARGET>vda</TARGET></DISK>"),
  nothing: message(""),
  "disk.xml": `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${DIRECTORY}/bench.raw'/><target dev='vdb'/></disk>`,
  "nic.xml": `<interface type='bridge'><source bridge='onebr0'/><mac address='${MAC}'/><target dev='one-2101-1'/><model type='virtio'/></interface>`,
} as const;

const file = (name: keyof typeof FILES) => `${WORK}/${name}`;
const quiet = (line: string) => `${line} >/dev/null`;

const DUELS: readonly Duel[] = [
  {
    name: "attach_disk, detach_disk",
    ours: [`${LAUNCHERS}/attach_disk ${VM} ${DIRECTORY}/bench.raw vdb 1 '' 2101 h < ${file("disk")}`, `${LAUNCHERS}/detach_disk ${VM} ${DIRECTORY}/bench.raw vdb 1 2101 h`],
    virsh: [quiet(`${VIRSH} dumpxml ${VM}`), `${VIRSH} attach-device ${VM} ${file("disk.xml")}`, `${VIRSH} detach-disk --domain ${VM} --target vdb`, quiet(`${VIRSH} dumpxml ${VM}`)],
    promised: 1,
  },
  {
    name: "attach_nic, detach_nic",
    ours: [`${LAUNCHERS}/attach_nic ${VM} ${MAC} onebr0 virtio x x 2101 h < ${file("nic")}`, `${LAUNCHERS}/detach_nic ${VM} ${MAC} 2101 h < ${file("nic")}`],
    virsh: [`${VIRSH} attach-device ${VM} ${file("nic.xml")}`, `${VIRSH} detach-interface --domain ${VM} --type bridge --mac ${MAC}`, quiet(`${VIRSH} domiflist ${VM}`)],
    promised: 1,
  },
  { name: "resize (memory)", ours: [`${LAUNCHERS}/resize ${VM} 2101 h < ${file("resize")}`], virsh: [`${VIRSH} setmem ${VM} 131072`], promised: 1 },
  {
    name: "prereconfigure, reconfigure",
    ours: [`${LAUNCHERS}/prereconfigure ${VM} sdz 2101 h`, `${LAUNCHERS}/reconfigure ${VM} sdz ${DIRECTORY}/bench.iso 2101 h`],
    virsh: [quiet(`${VIRSH} domblklist ${VM}`), `${VIRSH} change-media ${VM} sdz --eject --force`, `${VIRSH} change-media ${VM} sdz ${DIRECTORY}/bench.iso --insert`],
    promised: 1,
  },
  snapshots("of a Linux guest", VM, "2101", 1),
  snapshots("of 16 MiB", SNAPPED.vm, SNAPPED.id, 0.5),
  {
    name: "snapshot_revert of 16 MiB",
    ours: [`${LAUNCHERS}/snapshot_revert ${SAVED.vm} snap-9 ${SAVED.id} h`],
    virsh: [`${VIRSH} snapshot-revert --force ${SAVED.vm} snap-9`],
    promised: 1,
  },
  {
    name: "resize_disk",
    ours: [`${LAUNCHERS}/resize_disk ${SAVED.vm} 0 64 '' h ${SAVED.id} h < ${file("grow")}`],
    virsh: [`${VIRSH} blockresize ${SAVED.vm} vda 64M`],
    promised: 1,
  },
  {
    name: "save, restore of 16 MiB",
    ours: [`${LAUNCHERS}/save ${SAVED.vm} ${SAVED.directory}/checkpoint h ${SAVED.id} h < ${file("nothing")}`, `${LAUNCHERS}/restore ${SAVED.directory}/checkpoint h ${SAVED.vm} ${SAVED.id} h < ${file("nothing")}`],
    virsh: [`${VIRSH} save ${SAVED.vm} ${SAVED.directory}/checkpoint`, gone(SAVED.vm), `(${VIRSH} save-image-dumpxml ${SAVED.directory}/checkpoint > ${WORK}/saved.xml)`, `${VIRSH} restore ${SAVED.directory}/checkpoint --xml ${WORK}/saved.xml`],
    promised: 1,
  },
  {
    name: "deploy, cancel of 16 MiB",
    ours: [`${LAUNCHERS}/deploy ${STARTED.directory}/deployment.0 h ${STARTED.id} h < ${STARTED.xml}`, `${LAUNCHERS}/cancel ${STARTED.vm} h ${STARTED.id} h`],
    virsh: [quiet(`${VIRSH} create ${STARTED.xml}`), quiet(`${VIRSH} dominfo ${STARTED.vm}`), metadataOf(STARTED.vm), quiet(`${VIRSH} dominfo ${STARTED.vm}`), `${VIRSH} destroy ${STARTED.vm}`, gone(STARTED.vm)],
    promised: 1,
    promisedCpu: 0.5,
  },
  {
    name: "shutdown of a Linux guest",
    before: [`${VIRSH} create /tmp/2102.xml`, `until ${VIRSH} qemu-agent-command ${ENDED} '{"execute":"guest-ping"}' >/dev/null 2>&1; do sleep 0.2; done`],
    ours: [`${LAUNCHERS}/shutdown ${ENDED} h 2102 h`],
    virsh: [metadataOf(ENDED), quiet(`${VIRSH} dumpxml ${ENDED}`), quiet(`${VIRSH} dominfo ${ENDED}`), `${VIRSH} shutdown ${ENDED}`, `while ${VIRSH} dominfo ${ENDED} >/dev/null 2>&1; do sleep 1; done`],
    promised: 1,
    promisedCpu: 0.5,
    rounds: 7,
  },
  { name: "exec, exec_cancel", ours: [`${LAUNCHERS}/exec 2101 h true`, `${LAUNCHERS}/exec_cancel 2101 h`], virsh: [guestExec("true"), guestExec("kill")], promised: 1 },
];

function snapshots(what: string, vm: string, id: string, promised: number): Duel {
  const metadata = metadataOf(vm);
  return {
    name: `snapshot_create, snapshot_delete ${what}`,
    ours: [`${LAUNCHERS}/snapshot_create ${vm} 0 ${id} h`, `${LAUNCHERS}/snapshot_delete ${vm} snap-0 ${id} h`],
    virsh: [metadata, `${VIRSH} snapshot-create-as ${vm} --name snap-0`, quiet(`${VIRSH} snapshot-dumpxml ${vm} snap-0`), metadata, `${VIRSH} snapshot-delete ${vm} snap-0`, quiet(`${VIRSH} snapshot-list ${vm}`)],
    promised,
    promisedCpu: 0.5,
  };
}

function metadataOf(vm: string): string {
  return quiet(`${VIRSH} metadata ${vm} http://opennebula.org/xmlns/libvirt/1.0 one`);
}

/** Looks for a VM that is not there. */
function gone(vm: string): string {
  return `! ${VIRSH} dominfo ${vm} 2>/dev/null`;
}

/** Medians of all duels, with a guest that runs. */
export function actions(): readonly Row[] {
  mkdirSync(WORK, { recursive: true });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(`${WORK}/${name}`, text);
  must(`truncate -s 4M ${DIRECTORY}/bench.raw ${DIRECTORY}/bench.iso; ${VIRSH} change-media ${VM} sdz ${DIRECTORY}/bench.iso --insert`);
  try {
    for (const each of [SNAPPED, STARTED, SAVED]) make(each);
    for (const { xml } of [SNAPPED, SAVED]) must(`${VIRSH} create ${xml}`);
    must(`${VIRSH} snapshot-create-as ${SAVED.vm} --name snap-9`);
    return compete("actions", DUELS.map(asContest), ROUNDS);
  } finally {
    for (const { vm, directory } of [SNAPPED, STARTED, SAVED]) must(`${VIRSH} destroy ${vm} || true; rm -rf ${directory}`);
    rmSync(WORK, { recursive: true, force: true });
  }
}

function asContest({ name, ours, virsh, before, ...rest }: Duel): Contest {
  const command = (lines: readonly string[]) => ["sh", "-ec", lines.join("\n")];
  return { name, command: command(ours.map(quiet)), against: { name: `${virsh.length} x virsh for ${name}`, command: command(virsh.map(quiet)) }, ...rest, ...(before ? { before: command(before) } : {}) };
}

function make({ vm, directory, xml }: Small): void {
  writeFileSync(xml, `<domain type='qemu'><name>${vm}</name><uuid>${crypto.randomUUID()}</uuid><memory unit='MiB'>16</memory><vcpu>1</vcpu><os><type>hvm</type></os>
    <metadata><one:vm xmlns:one='http://opennebula.org/xmlns/libvirt/1.0'><one:system_datastore>${directory}</one:system_datastore></one:vm></metadata>
    <devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${directory}/disk.0'/><target dev='vda' bus='virtio'/></disk></devices></domain>`);
  must(`mkdir -p ${directory}; qemu-img create -q -f qcow2 ${directory}/disk.0 64M`);
}

function guestExec(program: string): string {
  return quiet(`${VIRSH} qemu-agent-command ${VM} '{"execute":"guest-exec","arguments":{"path":"${program}","arg":[],"capture-output":true}}'`);
}

function must(line: string): void {
  const { exitCode, stderr } = Bun.spawnSync(["sh", "-ec", line]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}
