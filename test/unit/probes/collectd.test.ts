import { describe, expect, test } from "bun:test";
import { given, type Given } from "../../fakes/world.ts";
import { runProbe } from "./run.ts";

const ROOT = "/var/lib/one/datastores";
const MIB = 1024 * 1024;

function host(more: Given = {}) {
  const world = given({ limitSeconds: 60, version: "5.10.1", ...more });
  world.storage.spaces.set("/", { total: 100 * MIB, used: 40 * MIB, available: 50 * MIB });
  return world;
}

const record = (id: number) => `DS = [\n  ID = ${id},\n  USED_MB = 40,\n  TOTAL_MB = 100,\n  FREE_MB = 50\n]\n`;
const LOCATION = "DS_LOCATION_USED_MB=40\nDS_LOCATION_TOTAL_MB=100\nDS_LOCATION_FREE_MB=50\n";

describe("collectd/monitor_ds", () => {
  test("monitor_ds reports every numbered directory in the order of ls, and disks where a driver has left its name, none meaning ssh", async () => {
    using world = host({ files: { [`${ROOT}/2/x`]: "", [`${ROOT}/10/.monitor`]: "", [`${ROOT}/10/7/disk.0`]: "x", [`${ROOT}/10/7/disk.0.snap/1`]: "x", [`${ROOT}/a/x`]: "", [`${ROOT}/3`]: "a file" } });
    world.storage.onDisk.set(`${ROOT}/10/7/disk.0`, 3 * MIB - 1).set(`${ROOT}/10/7/disk.0.snap/1`, MIB);
    expect(await runProbe("collectd/monitor_ds", world)).toBe(`${LOCATION}${record(10)}VM=[ID=7,POLL="DISK_SIZE=[ID=0,SIZE=3] SNAPSHOT_SIZE=[ID=1,DISK_ID=0,SIZE=1] "]\n${record(2)}`);
  });

  test("monitor_ds reports a datastore whose driver has no program, and what the program of another says", async () => {
    using world = host({ files: { [`${ROOT}/1/.monitor`]: "none\n", [`${ROOT}/2/.monitor`]: "own\n", "/var/tmp/one/tm/own/monitor_ds": "" } });
    world.commands.on(`/var/tmp/one/tm/own/monitor_ds ${ROOT}/2`, { stdout: "VM=[ID=8]\n" });
    expect(await runProbe("collectd/monitor_ds", world)).toBe(`${LOCATION}${record(1)}${record(2)}VM=[ID=8]\n`);
  });

  test("monitor_ds leaves out a datastore that hangs, and fails when the location does: oned would take its room for 0", async () => {
    using world = host({ files: { [`${ROOT}/1/x`]: "", [`${ROOT}/2/x`]: "" } });
    world.storage.hanging.add(`${ROOT}/1`);
    expect(await runProbe("collectd/monitor_ds", world)).toBe(LOCATION + record(2));
    world.storage.hanging.add(ROOT);
    await expect(runProbe("collectd/monitor_ds", world)).rejects.toMatchObject({ code: "TIMED_OUT" });
  });
});

describe("probes of 5.x that not every 5.x has", () => {
  const node = "/sys/bus/node/devices/node0";
  const files = {
    [`${node}/cpu0/topology/core_id`]: "0\n", [`${node}/cpu0/topology/thread_siblings_list`]: "0\n", [`${node}/meminfo`]: "Node 0 MemTotal: 9 kB\nNode 0 MemFree: 5 kB\nNode 0 MemUsed: 4 kB\n", [`${node}/distance`]: "10\n",
    [`${node}/hugepages/hugepages-2048kB/nr_hugepages`]: "4\n", [`${node}/hugepages/hugepages-2048kB/free_hugepages`]: "3\n",
  };

  test.each([["5.8.5", ""], ["5.10.0", 'HUGEPAGE = [ NODE_ID = "0", SIZE = "2048", PAGES = "4", FREE = "3" ]\nCORE = [ NODE_ID = "0", ID = "0", CPUS = "0" ]\nMEMORY_NODE = [ NODE_ID = "0", TOTAL = "9", FREE = "5", USED = "4", DISTANCE = "0" ]\n']])("numa tells %s this", async (version, expected) => {
    using world = host({ version, files });
    expect(await runProbe("collectd/numa", world)).toBe(expected);
  });

  test.each([["5.4.15", []], ["5.6.0", ["KVM_MACHINES", "KVM_CPU_MODELS"]], ["5.8.0", ["KVM_MACHINES", "KVM_CPU_MODELS", "KVM_CPU_MODEL"]]])("machines-models tells %s these", async (version, expected) => {
    using world = host({ version });
    world.hypervisor.parts.capabilities = "<capabilities><host><cpu><model>kvm64</model></cpu></host><guest><arch name='x86_64'><machine>pc</machine></arch></guest></capabilities>";
    world.hypervisor.parts.domainCapabilitiesOf = () => "<domainCapabilities/>";
    expect([...(await runProbe("collectd/machines-models", world)).matchAll(/^(\w+)=/gm)].map(([, name]) => name ?? "")).toEqual(expected);
  });

  test.each([["5.6.0", "/var/tmp/one/etc/im/kvm-probes.d/pci.conf"], ["5.4.0", "/var/tmp/one/im/kvm-probes.d/pci.conf"]])("pci of %s reads %s, and has the names of its time in their order", async (version, path) => {
    const device = "/sys/bus/pci/devices/0000:41:00.0";
    using world = host({ version, files: { [`${device}/vendor`]: "0x10de\n", [`${device}/device`]: "0x2235\n", [`${device}/class`]: "0x030200\n", [`${device}/sriov_numvfs`]: "2\n", [path]: ":filter: '10de:*'\n" } });
    const names = [...(await runProbe("collectd/pci", world)).matchAll(/^ (\w+) = "/gm)].map(([, name]) => name);
    expect(names).toEqual(["TYPE", "VENDOR", "VENDOR_NAME", "DEVICE", "DEVICE_NAME", "CLASS", "CLASS_NAME", "ADDRESS", "SHORT_ADDRESS", "DOMAIN", "BUS", "SLOT", "FUNCTION"]);
  });

  test("pci selects nothing where nobody has chosen anything, and the shepherd says nothing", async () => {
    using world = host({ version: "5.4.0", files: { "/sys/bus/pci/devices/.keep": "" } });
    expect([await runProbe("collectd/pci", world), await runProbe("collectd/collectd-client-shepherd", world)]).toEqual(["", ""]);
  });
});
