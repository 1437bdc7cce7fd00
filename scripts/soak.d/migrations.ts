import { rmSync } from "node:fs";
import { DATASTORE, Guest, type Host, syncedTree } from "../../test/support/lab.ts";
import { travel, WRITER } from "../../test/support/travel.ts";

const MIGRATIONS = 20;
const VMID = 7003;

/** Migrations in a row between two hosts, over each protocol, of a guest that keeps writing to its disk and answering its agent. */
export async function migrations(): Promise<void> {
  for (const protocol of ["qemu+ssh", "qemu+tcp"]) {
    // The lab's file system is an ordinary one: libvirt does not know that both hosts see it.
    const tree = await syncedTree(["hosta", "hostb"], { kvmrc: `QEMU_PROTOCOL=${protocol}\nMIGRATE_OPTIONS="--unsafe"\n` });
    const guest = await Guest.make(VMID, "--memory", "256");
    try {
      await guest.deploy("hosta");
      await guest.ready("hosta");
      await guest.inside("hosta", WRITER);
      const start = performance.now();
      await travel(guest, MIGRATIONS, (from, to) => migrate(guest, from, to));
      console.log(`${MIGRATIONS} migrations in a row over ${protocol}: nothing lost from memory or disk, ${((performance.now() - start) / 1000 / MIGRATIONS).toFixed(1)} s each with the checks`);
    } finally {
      for (const host of ["hosta", "hostb"] as const) await guest.remove(host);
      rmSync(tree, { recursive: true, force: true });
    }
  }
}

function migrate(guest: Guest, from: Host, to: Host) {
  const document = `<VMM_DRIVER_ACTION_DATA><DISK_TARGET_PATH>${guest.directory}</DISK_TARGET_PATH><VM><ID>${VMID}</ID><TEMPLATE/></VM><DATASTORE><BASE_PATH>${DATASTORE}</BASE_PATH><TEMPLATE><SHARED><![CDATA[YES]]></SHARED></TEMPLATE></DATASTORE></VMM_DRIVER_ACTION_DATA>`;
  return guest.call(from, "migrate", [guest.uuid, to, from, String(VMID), from], document);
}
