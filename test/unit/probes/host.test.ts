import { describe, expect, test } from "bun:test";
import { parseCpuList, parseCpuModel, parseMeminfo, parseNetDev } from "../../../src/codec/kernel-text.ts";
import { readMemoryEncryption } from "../../../src/codec/host-capabilities.ts";
import { given, type Given, type World } from "../../fakes/world.ts";
import { runProbe } from "./run.ts";

const MEMINFO = "MemTotal: 1000 kB\nMemFree: 300 kB\nMemAvailable: 500 kB\nBuffers: 50 kB\nCached: 400 kB\nShmem: 100 kB\n";

function host({ files = {}, ...more }: Given = {}): World {
  return given({ limitSeconds: 1000, ...more, files: { "/proc/meminfo": MEMINFO, "/proc/stat": "cpu  100 0 100 700 100 0 0 0 0 0\n", "/sys/devices/system/cpu/present": "0-3\n", "/proc/net/dev": "", ...files } });
}

describe("linux_usage", () => {
  test("counts processor time since the pass before, and waiting for disks as free", async () => {
    using world = host();
    world.clock.after(1000, () => world.files.put("/proc/stat", "cpu  150 0 150 775 125 0 0 0 0 0\n"));
    expect(await runProbe("host/monitor/linux_usage", world)).toContain("FREECPU=200\nUSEDCPU=200\n");
    world.clock.pass(120_000);
    world.files.put("/proc/stat", "cpu  150 0 150 775 425 0 0 0 0 0\n");
    expect(await runProbe("host/monitor/linux_usage", world)).toContain("FREECPU=400\nUSEDCPU=0\n");
    expect(world.clock.sleeps).toEqual([1000]); // the second pass waits for nothing
  });

  test("a clock that goes back, or a boot, starts the sample afresh", async () => {
    using world = host();
    world.state.write("host-cpu", { at: world.clock.nowMs() + 3_600_000, total: 10, idle: 5 });
    world.clock.after(1000, () => world.files.put("/proc/stat", "cpu  150 0 150 800 100 0 0 0 0 0\n"));
    expect(await runProbe("host/monitor/linux_usage", world)).toContain("FREECPU=200\n");
  });

  test("takes the kernel's word for memory that is available; without it tmpfs is not free", async () => {
    using world = host();
    expect(await runProbe("host/monitor/linux_usage", world)).toContain("USEDMEMORY=500\nFREEMEMORY=500\n");
    world.files.put("/proc/meminfo", MEMINFO.replace(/MemAvailable.*\n/, ""));
    expect(await runProbe("host/monitor/linux_usage", world)).toContain("USEDMEMORY=350\nFREEMEMORY=650\n");
  });

  test("a source that is missing costs its own numbers only", async () => {
    using world = host();
    world.files.remove("/proc/stat");
    world.files.remove("/proc/meminfo");
    world.series.broken = true;
    expect(await runProbe("host/monitor/linux_usage", world)).toBe("HYPERVISOR=kvm\nNETRX=0\nNETTX=0\n");
  });

  test("counts network cards, and neither VLANs, bridges, representors nor what belongs to VMs", async () => {
    const line = (name: string, rx: number) => `${name}: ${rx} 0 0 0 0 0 0 0 ${rx * 2} 0 0 0 0 0 0 0\n`;
    const counted = ["eth0", "ib0", "em1_2", "p1p2", "eno1", "ens3f0np0", "enx0123456789ab", "enP1p2s3f0", "enp5s0", "lan0"];
    const ignored = ["lo", "eth0.100", "br-ens3", "ens3f0npf0vf1", "one-7-0", "vnet3", "bond0", "rep0", "virbr0", "enp5s0.20"];
    using world = host({
      files: {
        "/proc/net/dev": [...counted.map((name) => line(name, 1)), ...ignored.map((name) => line(name, 1000))].join(""),
        "/sys/class/net/lan0/device": { link: "../../x" }, "/sys/class/net/rep0/device": { link: "../../y" }, "/sys/class/net/rep0/phys_port_name": "pf0vf3\n",
      },
    });
    expect(await runProbe("host/monitor/linux_usage", world)).toContain("NETRX=10\nNETTX=20\n");
  });

  test("a bridge, bond or VLAN that has a card's name counts nothing, and counters keep all their digits", async () => {
    using world = host({
      files: {
        "/proc/net/dev": "eth0: 5 0 0 0 0 0 0 0 6 0 0 0 0 0 0 0\n eth1: 18446744073709551615 0 0 0 0 0 0 0 9007199254740993 0 0 0 0 0 0 0\nenp0s20f0u1c2: 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
        "/sys/class/net/eth0/lower_eth1": { link: "../eth1" }, "/sys/class/net/eth1/device": { link: "../../x" },
      },
    });
    expect(await runProbe("host/monitor/linux_usage", world)).toContain("NETRX=18446744073709551616\nNETTX=9007199254740993\n");
  });

  test("memory of which only the total is known is left out", async () => {
    using world = host({ files: { "/proc/meminfo": "MemTotal: 1000 kB\n" } });
    expect(await runProbe("host/monitor/linux_usage", world)).not.toContain("MEMORY");
  });

  test("keeps its numbers, and the next probe says the rates", async () => {
    using world = host({ files: { "/proc/net/dev": "eth0: 1000 0 0 0 0 0 0 0 500 0 0 0 0 0 0 0\n" } });
    world.clock.after(500, () => world.files.put("/proc/stat", "cpu  150 0 150 775 125 0 0 0 0 0\n"));
    await runProbe("host/monitor/linux_usage", world);
    expect(await runProbe("host/monitor/prediction", world)).toBe("");
    world.clock.pass(100_000);
    world.files.put("/proc/stat", "cpu  150 0 150 7750 1250 0 0 0 0 0\n");
    world.files.put("/proc/net/dev", "eth0: 3000 0 0 0 0 0 0 0 250 0 0 0 0 0 0 0\n"); // TX has begun anew
    await runProbe("host/monitor/linux_usage", world);
    expect(await runProbe("host/monitor/prediction", world)).toBe('NETRX_BW="20.0"\nNETTX_BW="2.5"\n');
    expect([...world.series.points.keys()].sort()).toEqual(["freecpu", "freememory", "netrx", "nettx", "usedcpu", "usedmemory"].map((metric) => `host 3 ${metric}`));
  });
});

describe("linux_host", () => {
  test.each([
    ["cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "CGROUPS_VERSION=2\n"],
    ["cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw 0 0\n", "CGROUPS_VERSION=1\n"],
  ])("%j gives %j", async (mounts, expected) => {
    using world = host({ files: { "/proc/self/mounts": mounts } });
    expect(await runProbe("host/system/linux_host", world)).toBe(`HYPERVISOR=kvm\nTOTALCPU=400\nCPUSPEED=2400\nTOTALMEMORY=1000\n${expected}`);
  });

  test("without libvirt the kernel tells the speed, and everything else is as before", async () => {
    using world = host({ files: { "/proc/cpuinfo": "processor\t: 0\ncpu MHz\t\t: 2596.098\n" } });
    world.hypervisor.fails("node.cpuMhz", "LIBVIRT_UNREACHABLE");
    expect(await runProbe("host/system/linux_host", world)).toBe("HYPERVISOR=kvm\nTOTALCPU=400\nCPUSPEED=2596\nTOTALMEMORY=1000\n");
  });
});

describe("linux_host of a kernel that tells little", () => {
  test.each(["", "cpu MHz\t\t:\nmodel name\t:\ncpu family: 6\n", "cpu MHz: unknown\n"])("with %j the speed is left out, and is not 0", async (cpuinfo) => {
    using world = given({ limitSeconds: 1000, files: { "/proc/cpuinfo": cpuinfo, "/sys/devices/system/cpu/present": "0-511\n" } });
    world.hypervisor.fails("node.cpuMhz", "LIBVIRT_UNREACHABLE");
    expect(await runProbe("host/system/linux_host", world)).toBe("HYPERVISOR=kvm\nTOTALCPU=51200\n");
    expect(await runProbe("host/system/cpu", world)).toBe("");
  });
});

describe("capabilities", () => {
  test("models that libvirt tells for no architecture are left out, and not called none", async () => {
    using world = host();
    world.hypervisor.parts.capabilities = "<capabilities><host><cpu/></host><guest><arch name='x86_64'><machine>pc</machine></arch></guest></capabilities>";
    world.hypervisor.fails("node.domainCapabilities", "LIBVIRT_FAILED");
    expect(await runProbe("host/system/machines_models", world)).toBe('KVM_MACHINES="pc"\n');
  });

  test.each([
    ["<sev supported='no'/>", "NONE"], ["<sev supported='no'/><tdx supported='yes'/>", "TDX"], ["", "NONE"],
    ["<sev supported='yes'><maxESGuests>0</maxESGuests></sev>", "SEV"], ["<sev supported='yes'><maxESGuests>15</maxESGuests></sev>", "SEV-ES"],
    ["<sev supported='yes'><maxESGuests>15</maxESGuests><sevsnp supported='yes'/></sev>", "SEV-SNP"],
  ] as const)("%s is %s", (features, expected) => {
    expect(readMemoryEncryption(`<domainCapabilities><features>${features}</features></domainCapabilities>`)).toBe(expected);
  });

  test("an architecture whose emulator is missing costs its own models only, and all others' count", async () => {
    using world = host();
    const arch = (name: string) => `<guest><arch name='${name}'><machine>${name}-old</machine><domain type='qemu'/><domain type='kvm'><machine>${name}-new</machine><machine>virt</machine></domain></arch></guest>`;
    world.hypervisor.parts.capabilities = `<capabilities><host><cpu><model>kvm64</model></cpu></host>${arch("x86_64")}${arch("aarch64")}${arch("sparc")}</capabilities>`;
    world.hypervisor.parts.domainCapabilitiesOf = (name) => `<domainCapabilities><cpu><mode name='custom' supported='yes'><model usable='yes'>${name}-cpu</model><model usable='no'>none</model></mode></cpu></domainCapabilities>`;
    expect(await runProbe("host/system/machines_models", world)).toBe('KVM_MACHINES="x86_64-new virt aarch64-new"\nKVM_CPU_MODELS="x86_64-cpu aarch64-cpu"\nKVM_CPU_MODEL="kvm64"\n');
    world.hypervisor.fails("node.domainCapabilities", "LIBVIRT_FAILED");
    expect(await runProbe("host/system/machines_models", world)).toContain('KVM_CPU_MODELS="aarch64-cpu"\n');
  });
});

describe("NUMA", () => {
  test("siblings that are neighbours are written one by one, and processors that are off line are left out", async () => {
    const node = "/sys/bus/node/devices/node0";
    using world = host({
      files: {
        [`${node}/cpu0/topology/core_id`]: "0\n", [`${node}/cpu0/topology/thread_siblings_list`]: "0-1\n",
        [`${node}/cpu1/topology/core_id`]: "0\n", [`${node}/cpu1/topology/thread_siblings_list`]: "0-1\n",
        [`${node}/cpu2/online`]: "0\n", [`${node}/distance`]: "10\n", [`${node}/meminfo`]: "Node 0 MemTotal: 5 kB\n",
      },
    });
    expect(await runProbe("host/system/numa_host", world)).toBe('CORE = [ NODE_ID = "0", ID = "0", CPUS = "0,1" ]\nMEMORY_NODE = [ NODE_ID = "0", TOTAL = "5", DISTANCE = "0" ]\n');
  });

  test("eight nodes with five distances, 512 threads, two kinds of cores and counters that cannot be read", async () => {
    const root = "/sys/bus/node/devices";
    const files = Object.fromEntries(Array.from({ length: 8 }, (_, node) => [
      [`${root}/node${node}/distance`, `${Array.from({ length: 8 }, (_each, other) => [10, 12, 20, 32, 40][Math.min(4, Math.abs(node - other))]).join(" ")}\n`],
      [`${root}/node${node}/hugepages/hugepages-2048kB/nr_hugepages`, node === 0 ? "" : "18446744073709551615\n"],
      [`${root}/node${node}/hugepages/hugepages-64kB/free_hugepages`, "7\n"],
      ...Array.from({ length: 64 }, (_each, index) => index + node * 64).flatMap((cpu) => [
        [`${root}/node${node}/cpu${cpu}/topology/core_id`, `${cpu >> 1}\n`],
        [`${root}/node${node}/cpu${cpu}/topology/thread_siblings_list`, cpu % 64 < 32 ? `${cpu & ~1}-${cpu | 1}\n` : `${cpu}\n`], // the second half has one thread a core
      ]),
    ]).flat());
    using world = host({ files });
    const text = await runProbe("host/system/numa_host", world);
    const cores = [...text.matchAll(/CPUS = "(.*)"/g)].map(([, cpus = ""]) => cpus);
    expect([cores.length, cores.flatMap((cpus) => cpus.split(",")).length]).toEqual([8 * (16 + 32), 512]);
    expect(text).toContain('HUGEPAGE = [ NODE_ID = "1", SIZE = "2048", PAGES = "18446744073709551615" ]\n');
    expect(text).toContain('MEMORY_NODE = [ NODE_ID = "3", DISTANCE = "3 2 4 1 5 0 6 7" ]\n');
    expect(text).not.toMatch(/HUGEPAGE = \[ NODE_ID = "0", SIZE = "2048"|"0\.|NaN|undefined/);
    expect(await runProbe("host/monitor/numa_usage", world)).toBe(Array.from({ length: 8 }, (_, node) => `HUGEPAGE = [ NODE_ID = "${node}", SIZE = "64", FREE = "7" ]\n`).join(""));
  });

  test.each(["host/system/numa_host", "host/monitor/numa_usage"])("%s says nothing where the kernel knows no nodes", async (name) => {
    using world = host();
    expect(await runProbe(name, world)).toBe("");
  });
});

describe("names", () => {
  test("a name that is not plain is quoted, and cannot end its value", async () => {
    using world = host({ files: { "/proc/sys/kernel/hostname": 'a" b\n', "/var/tmp/one/VERSION": "first\n7.4.0\n", "/proc/cpuinfo": "cpu\t: POWER9, altivec supported\n" } });
    expect(await runProbe("host/system/name", world)).toBe('HOSTNAME="a\\" b"\n');
    expect(await runProbe("host/system/version", world)).toBe('VERSION="7.4.0"\n');
    expect(await runProbe("host/system/cpu", world)).toBe('MODELNAME="POWER9, altivec supported"\n');
  });

  test("what is not there is left out", async () => {
    using world = given();
    for (const name of ["name", "version", "cpu"]) expect(await runProbe(`host/system/${name}`, world)).toBe("");
    expect(await runProbe("host/system/architecture", world)).toMatch(/^ARCH=(x86_64|aarch64)\n$/);
  });
});

describe("texts of the kernel", () => {
  test("are read as they are, and garbage is nothing", () => {
    expect(parseCpuList("0-2,8\n")).toEqual([0, 1, 2, 8]);
    expect(parseCpuList("a-b,,0-999999999")).toEqual([]);
    expect(parseMeminfo("garbage\nMemTotal:       12 kB\nHugePages_Total:       3\n")).toEqual({ MemTotal: 12, HugePages_Total: 3 });
    expect(parseNetDev("Inter-| Receive\n face |bytes\n eth0:1 2 3\n")).toEqual([]);
    expect(parseCpuModel("")).toBeUndefined();
  });
});
