import { describe, expect, test } from "bun:test";
import { humanSize } from "../../../src/codec/human-size.ts";
import { given, type Given } from "../../fakes/world.ts";
import { saidIn } from "../../conformance/probe-recordings.ts";
import { runProbe } from "./run.ts";

const ROOT = "/var/lib/one/datastores";
const MIB = 1024 * 1024;

function host(files: Given["files"] = {}) {
  const world = given({ limitSeconds: 60, files });
  world.storage.spaces.set("/", { total: 100 * MIB, used: 40 * MIB + 1, available: 50 * MIB });
  return world;
}

describe("monitor_ds", () => {
  test("reports room below the location, and in each datastore that has a driver", async () => {
    using world = host({ [`${ROOT}/0/.monitor`]: "ssh", [`${ROOT}/1/disk.0`]: "", [`${ROOT}/x/.monitor`]: "ssh", [`${ROOT}/2/.monitor`]: "" });
    expect(await runProbe("host/system/monitor_ds", world)).toBe(
      "DS_LOCATION_USED_MB  = 41\nDS_LOCATION_TOTAL_MB = 100\nDS_LOCATION_FREE_MB  = 50\nDS = [ ID = 0, USED_MB = 41, TOTAL_MB = 100, FREE_MB = 50 ]\nDS = [ ID = 2, USED_MB = 41, TOTAL_MB = 100, FREE_MB = 50 ]\n",
    );
  });

  test("a datastore whose server is gone is named and left out, and costs nobody else's numbers", async () => {
    using world = host({ [`${ROOT}/0/.monitor`]: "ssh", [`${ROOT}/7/.monitor`]: "local" });
    world.storage.hanging.add(`${ROOT}/7`);
    const said = saidIn(await runProbe("host/system/monitor_ds", world));
    expect(said.filter(({ name }) => name === "DS/ID").map(({ value }) => value)).toEqual(["0"]);
    expect(world.log.lines.join()).toContain("datastore 7");
  });

  test("a location that does not exist is made; one that hangs is not reported as empty", async () => {
    using world = host();
    await runProbe("host/system/monitor_ds", world);
    expect(world.files.kind(ROOT)).toBe("directory");
    world.storage.hanging.add(ROOT);
    expect(await runProbe("host/system/monitor_ds", world)).toBe("");
  });

  test("a cache of replicas counts its images", async () => {
    using world = host({ [`${ROOT}/9/.monitor`]: "replica\n", [`${ROOT}/9/0a1b-2c`]: "", [`${ROOT}/9/ffff`]: "", [`${ROOT}/9/ffff.lock`]: "", [`${ROOT}/9/abc/inner`]: "" });
    world.storage.onDisk.set(`${ROOT}/9`, 3 * 1024 * MIB);
    expect(await runProbe("host/system/monitor_ds", world)).toContain('DS = [ ID = 9, REPLICA_CACHE = "YES", REPLICA_CACHE_SIZE = 3.0G, REPLICA_IMAGES = 2, USED_MB');
  });
});

test.each([[0, "0"], [512, "512"], [1024, "1.0K"], [4096, "4.0K"], [5 * MIB + 4096, "5.1M"], [9.95 * 1024, "10K"], [1023.5 * 1024, "1.0M"], [250 * MIB, "250M"], [1.5 * 1024 ** 4, "1.5T"]] as const)("%d bytes are %s", (bytes, text) => {
  expect(humanSize(bytes)).toBe(text);
});

describe("monitor_ds_vm", () => {
  const decoded = (text: string) => [...text.matchAll(/ID = (\d+), MONITOR = "(.*?)"/g)].map(([, id, monitor = ""]) => `${id}:${Buffer.from(monitor, "base64").toString()}`);

  test("sizes of disks and of snapshots are reported, sparse or whole as the driver counts", async () => {
    using world = host({
      [`${ROOT}/0/.monitor`]: "ssh", [`${ROOT}/0/5/disk.0`]: "x", [`${ROOT}/0/5/disk.10`]: "x", [`${ROOT}/0/5/disk.0.snap/1`]: "x", [`${ROOT}/0/5/disk.0.snap/12`]: "x", [`${ROOT}/0/5/disk.0.snap/current`]: "x", [`${ROOT}/0/6/other`]: "",
      [`${ROOT}/2/.monitor`]: "local", [`${ROOT}/2/8/disk.1`]: "x".repeat(MIB + 1), [`${ROOT}/2/9/context`]: "",
    });
    for (const [name, mib] of [["disk.0", 2.1], ["disk.10", 7], ["disk.0.snap/1", 1.5], ["disk.0.snap/12", 0]] as const) world.storage.onDisk.set(`${ROOT}/0/5/${name}`, mib * MIB);
    expect(decoded(await runProbe("vm/monitor/monitor_ds_vm", world))).toEqual([
      "5:\nDISK_SIZE = [ ID=0, SIZE=3]\nDISK_SIZE = [ ID=10, SIZE=7]\nSNAPSHOT_SIZE = [ ID=1, DISK_ID=0, SIZE=2]\nSNAPSHOT_SIZE = [ ID=12, DISK_ID=0, SIZE=0]", "8:\nDISK_SIZE = [ ID=1, SIZE=1]",
    ]);
    expect(world.commands.calls).toEqual([]);
  });

  test("a VM whose directory does not answer, and a program whose output oned could not read, cost nobody else's sizes", async () => {
    using world = host({ [`${ROOT}/0/.monitor`]: "ssh", [`${ROOT}/0/5/disk.0`]: "x", [`${ROOT}/0/6/disk.0`]: "x", [`${ROOT}/1/.monitor`]: "other", "/var/tmp/one/tm/other/monitor_ds": "" });
    world.storage.hanging.add(`${ROOT}/0/5`);
    world.commands.on(`/var/tmp/one/tm/other/monitor_ds ${ROOT}/1`, { stdout: "du: cannot read directory\n" });
    expect((await runProbe("vm/monitor/monitor_ds_vm", world)).match(/VM = \[ ID = \d+/g)).toEqual(["VM = [ ID = 6"]);
    expect(world.log.lines.toSorted()).toEqual([expect.stringContaining("output of /var/tmp/one/tm/other/monitor_ds"), expect.stringContaining("disks of VM 5")]);
  });

  test("another driver's own program is asked, never a path from the file", async () => {
    using world = host({ [`${ROOT}/0/.monitor`]: "other", [`${ROOT}/1/.monitor`]: "../../evil", [`${ROOT}/2/.monitor`]: "none", "/var/tmp/one/tm/other/monitor_ds": "", "/var/tmp/one/evil/monitor_ds": "" });
    world.commands.on(`/var/tmp/one/tm/other/monitor_ds ${ROOT}/0`, { stdout: 'VM = [ ID = 3, MONITOR = "QQ=="]\n' });
    expect(await runProbe("vm/monitor/monitor_ds_vm", world)).toBe('VM = [ ID = 3, MONITOR = "QQ=="]\n');
    expect(world.commands.calls).toHaveLength(1);
  });
});

describe("recovery", () => {
  const PROGRAM = "/var/tmp/one/tm/ssh/recovery_snap_create_live";
  const vm = (id: number, frequency: string) => ({
    [`${ROOT}/0/${id}/disk.0`]: "", [`${ROOT}/0/${id}/disk.0.snap/base.1`]: "", [`${ROOT}/0/${id}/disk.1`]: "", [`${ROOT}/0/${id}/ds.xml`]: "<DATASTORE><TEMPLATE><REPLICA_HOST>node9</REPLICA_HOST></TEMPLATE></DATASTORE>",
    [`${ROOT}/0/${id}/vm.xml`]: `<VM><TEMPLATE><DISK><DISK_ID>0</DISK_ID><RECOVERY_SNAPSHOT_FREQ>${frequency}</RECOVERY_SNAPSHOT_FREQ></DISK><DISK><DISK_ID>1</DISK_ID></DISK></TEMPLATE></VM>`,
  });
  const decoded = (text: string) => [...text.matchAll(/^VM = \[ ID="(\d+)", MONITOR="(.*)" \]$/gm)].map(([, id, monitor = ""]) => `${id} ${Buffer.from(monitor, "base64").toString()}`);

  test("takes what is due and says how it went; a VM that cannot be read costs nobody else's", async () => {
    using world = host({ [PROGRAM]: "", [`${ROOT}/0/.monitor`]: "ssh", ...vm(5, "60"), ...vm(6, ""), ...vm(7, "30"), ...vm(8, "60"), [`${ROOT}/0/8/vm.xml`]: "<VM" });
    world.commands.on(`${PROGRAM} 5 ${ROOT}/0/5/disk.0 60 node9`, { stdout: "1700000500\n" });
    world.commands.on(`${PROGRAM} 7 ${ROOT}/0/7/disk.0 30 node9`, { exitCode: 1, stderr: 'no "space"\n' });
    expect(decoded(await runProbe("vm/snapshot/recovery", world))).toEqual(['5 DISK_RECOVERY_SNAPSHOT = [ ID=0, TIMESTAMP="1700000500" ]', '7 DISK_RECOVERY_SNAPSHOT = [ ID=0, MSG="ERROR no \\"space\\"" ]']);
    expect(world.log.lines.join()).toContain("VM 8");
  });

  test("without the program nothing is looked at", async () => {
    using world = host({ [`${ROOT}/0/.monitor`]: "ssh", ...vm(5, "60") });
    world.storage.hanging.add(ROOT);
    expect(await runProbe("vm/snapshot/recovery", world)).toBe("");
  });
});

test("nfs_automounted names where datastores come from that OpenNebula mounted", async () => {
  using world = host({ [`${ROOT}/0/.automounted`]: "", [`${ROOT}/1/.automounted`]: "", [`${ROOT}/2/disk`]: "", "/proc/self/mounts": `server:/a ${ROOT}/0 nfs4 rw 0 0\nserver:/b ${ROOT}/1 nfs4 rw 0 0\nserver:/c ${ROOT}/2 nfs4 rw 0 0\n` });
  expect(await runProbe("host/system/nfs_automounted", world)).toBe('AUTONFS_MOUNT="server:/a,server:/b"\n');
});
