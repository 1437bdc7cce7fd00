import { given, type World } from "../fakes/world.ts";
import type { Recordings, Said } from "./probe-recordings.ts";

/** States of libvirt that are reported like this (monitoring.md 7.1). */
const STATES = { RUNNING: ["running", 5], SUSPENDED: ["paused", 1], FAILURE: ["paused", 5], UNKNOWN: ["paused", 9] } as const;

/** One VM of a recorded report. */
export type Reported = Readonly<Record<string, string>>;

/** The VMs of a report, in its order. */
export function vmsIn(said: readonly Said[]): readonly Reported[] {
  const vms: Record<string, string>[] = [];
  for (const { name, value } of said.filter((each) => each.name.startsWith("VM/"))) {
    const key = name.slice("VM/".length);
    const last = vms.at(-1);
    if (last && !(key in last)) last[key] = value;
    else vms.push({ [key]: value });
  }
  return vms;
}

/** Makes libvirt's VMs what a report says they are. A VM that is reported off has gone; one of another name than OpenNebula's is no matter of states. */
export function become(world: World, vms: readonly Reported[], known: Set<string>): void {
  for (const { ID = "", DEPLOY_ID: uuid = "", STATE = "" } of vms.filter(({ ID: id }) => Number(id) >= 0)) {
    if (STATE in STATES) {
      const [state, reason] = STATES[STATE as keyof typeof STATES];
      if (known.has(uuid)) world.hypervisor.become(uuid, state, reason);
      else world.hypervisor.put({ name: `one-${ID}`, uuid, state, reason });
      known.add(uuid);
    } else if (known.delete(uuid)) world.hypervisor.end(uuid);
  }
}

/** A guest whose command has ended as a record says. */
export function endedCommand({ ID = "", PID = "", RETURN_CODE = "", STDOUT = "", STDERR = "" }: Reported): World {
  const world = given({ domains: [{ name: `one-${ID}`, uuid: "aaaaaaaa-0001-4000-8000-000000000000" }], files: { [`/var/run/one/one-${ID}`]: PID } });
  world.hypervisor.parts.agent.set("guest-exec-status", { exited: true, exitcode: Number(RETURN_CODE), "out-data": STDOUT, "err-data": STDERR });
  return world;
}

/** Disks whose snapshots are due, and a program that does with them what was recorded. */
export function dueSnapshots(recordings: Recordings, output: string): World {
  const root = "/var/lib/one/datastores/0";
  const program = "/var/tmp/one/tm/ssh/recovery_snap_create_live";
  const world = given({ files: { [`${root}/.monitor`]: "ssh\n", [program]: "#!" }, limitSeconds: 1000 });
  for (const [, vm = "", base64 = ""] of (recordings.text(output) ?? "").matchAll(/VM = \[ ID="(\d+)", MONITOR="([^"]*)"/g)) {
    const disks = [...Buffer.from(base64, "base64").toString().matchAll(/ID=(\d+), (TIMESTAMP|MSG)="(.*)" \]/g)];
    world.files.put(`${root}/${vm}/vm.xml`, `<VM><TEMPLATE>${disks.map(([, id]) => `<DISK><DISK_ID>${id}</DISK_ID><RECOVERY_SNAPSHOT_FREQ>60</RECOVERY_SNAPSHOT_FREQ></DISK>`).join("")}</TEMPLATE></VM>`);
    world.files.put(`${root}/${vm}/ds.xml`, "<DATASTORE><TEMPLATE><REPLICA_HOST>r1</REPLICA_HOST></TEMPLATE></DATASTORE>");
    for (const [, id = "", kind, text = ""] of disks) {
      world.files.put(`${root}/${vm}/disk.${id}`, "x");
      world.files.put(`${root}/${vm}/disk.${id}.snap/base.1`, "x");
      world.commands.on(`${program} ${vm} ${root}/${vm}/disk.${id} 60 r1`, kind === "TIMESTAMP" ? { stdout: `${text}\n` } : { exitCode: 1, stderr: `${text.replace(/^ERROR /, "")}\n` });
    }
  }
  return world;
}
