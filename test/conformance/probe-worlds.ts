import type { FakeDomain } from "../fakes/domain.ts";
import { given, type World } from "../fakes/world.ts";
import { filesOfTree, type Recordings } from "./probe-recordings.ts";

/** A world that shows to our probes what the recordings' inputs showed to upstream's. */
export function recordedHost(recordings: Recordings): World {
  const [arch, name, version] = ["system-architecture", "system-name", "system-version"].map((each) => recordings.text(`host/${each}.txt`)?.split("=")[1]?.trim().replaceAll('"', ""));
  const lscpu = recordings.input(recordings.names("inputs").find((each) => each.startsWith("lscpu")) ?? "lscpu.txt");
  const processors = Number(/^CPU\(s\):\s+(\d+)/m.exec(lscpu)?.[1]);
  const model = /^Model name:\s+(.*)$/m.exec(lscpu)?.[1];
  const cgroups = /CGROUPS_VERSION=(\d)/.exec(recordings.text("host/system-linux_host.txt") ?? "")?.[1];
  const world = given({
    limitSeconds: 1000, domains: domainsOf(recordings),
    files: {
      "/proc/sys/kernel/arch": `${arch}\n`, "/proc/sys/kernel/hostname": `${name}\n`, "/var/tmp/one/VERSION": `${version}\n`,
      "/proc/cpuinfo": `processor\t: 0\nmodel name\t: ${model}\n`, "/sys/devices/system/cpu/present": processors > 1 ? `0-${processors - 1}\n` : "0\n",
      "/proc/meminfo": recordings.input("proc-meminfo.txt"), "/proc/net/dev": recordings.input("proc-net-dev.txt"),
      "/proc/self/mounts": cgroups === "1" ? "cpu /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n" : "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
      "/proc/stat": "cpu  0 0 0 0 0 0 0 0 0 0\n", "/var/tmp/one/etc/im/kvm-probes.d/pci.conf": ":filter: '0:0'\n", "/sys/bus/pci/devices/.keep": "",
    },
  });
  world.clock.after(1000, () => world.files.put("/proc/stat", cpuLine(recordings)));
  const { parts } = world.hypervisor;
  parts.capabilities = recordings.input("virsh-capabilities.xml");
  parts.baseline = recordings.input("virsh-cpu-baseline-features.xml");
  parts.domainCapabilitiesOf = (wanted = arch) => recordings.input(`virsh-domcapabilities-${wanted}.xml`);
  return world;
}

/** Ticks of one second as vmstat's last line shows them in percent: us sy id wa st. */
function cpuLine(recordings: Recordings): string {
  const [us = 0, sy = 0, id = 0, wa = 0, st = 0] = recordings.input("vmstat-1-2.txt").trim().split("\n").at(-1)?.trim().split(/\s+/).slice(12).map(Number) ?? [];
  return `cpu  ${us} 0 ${sy} ${id} ${wa} 0 0 ${st} 0 0\n`;
}

/** The domains of `virsh list`, in its order, with their documents and statistics. */
export function domainsOf(recordings: Recordings): readonly FakeDomain[] {
  const lines = recordings.input("virsh-list.txt").trim().split("\n").slice(2);
  return lines.map((line): FakeDomain => {
    const [, name = "", state = ""] = line.trim().split(/\s+/);
    const xml = recordings.input(`virsh-dumpxml-${name}.xml`);
    const metadata = recordings.text(`inputs/virsh-metadata-${name}.xml`);
    return {
      name, uuid: /<uuid>(.*?)<\/uuid>/.exec(xml)?.[1] ?? "", state: state === "paused" ? "paused" : "running", reason: 1, xml,
      fields: fieldsOf(recordings.input(`virsh-domstats-${name}.txt`)), ...(metadata === undefined ? {} : { metadata: { "http://opennebula.org/xmlns/libvirt/1.0": metadata } }),
    };
  });
}

function fieldsOf(text: string): Readonly<Record<string, string | bigint>> {
  const pairs = [...text.matchAll(/^ {2}([\w.-]+)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, /^\d+$/.test(value) ? BigInt(value) : value] as const);
  return Object.fromEntries(pairs.map(([name, value]) => [name, name.endsWith(".count") ? Number(value) : value])) as Readonly<Record<string, string | bigint>>;
}

/** The made-up host: sysfs as its trees say, and what `lspci` knew of each device as files of the kernel and of its database of names. */
export function madeUpHost(recordings: Recordings, folder = "fake-host"): World {
  const text = (name: string) => recordings.text(`${folder}/${name}`) ?? "";
  const lines = text("lspci-mmnn.stub.txt").split("\n").filter((line) => line.trim() !== "").map((line) => /^(\S+) "(.*?) \[(\w+)\]" "(.*?) \[(\w+)\]" "(.*?) \[(\w+)\]"/.exec(line)?.slice(1) ?? []);
  const devices = lines.map(([slot = "", className = "", code = "", vendorName = "", vendor = "", deviceName = "", device = ""]) => ({ slot: slot.split(":").length > 2 ? slot : `0000:${slot}`, className, code, vendorName, vendor, deviceName, device }));
  const ids = devices.flatMap(({ slot, code, vendor, device }) => [["vendor", vendor], ["device", device], ["class", `${code}00`]].map(([file, value]) => [`/sys/bus/pci/devices/${slot}/${file}`, `0x${value}\n`] as const));
  const vendors = [...new Map(devices.map((each) => [each.vendor, each])).values()].map(({ vendor, vendorName }) => `${vendor}  ${vendorName}\n${[...new Set(devices.filter((each) => each.vendor === vendor).map(({ device, deviceName }) => `\t${device}  ${deviceName}\n`))].join("")}`);
  const classes = [...new Set(devices.map(({ code, className }) => `C ${code.slice(0, 2)}  Base\n\t${code.slice(2)}  ${className}\n`))];
  const configuration = text("pci.conf") || ":filter: '*:*'\n:nvidia_vendors:\n  - '10de'\n";
  const tree = (bus: string) => (text(`sys-bus-${bus}-devices.tree.txt`) === "" ? {} : filesOfTree(text(`sys-bus-${bus}-devices.tree.txt`), `/sys/bus/${bus}/devices`));
  return given({
    files: {
      ...tree("pci"), ...tree("node"), ...Object.fromEntries(ids), "/usr/share/misc/pci.ids": ["# names\n", ...vendors, ...mergedClasses(classes)].join(""),
      ...(text("99-rename.rules") === "" ? {} : { "/etc/udev/rules.d/99-rename.rules": text("99-rename.rules") }),
      "/var/tmp/one/etc/im/kvm-probes.d/pci.conf": configuration, "/var/tmp/one/etc/im/qemu-probes.d/pci.conf": configuration,
    },
  });
}

/** A class stands once in the database, with all its subclasses. */
function mergedClasses(classes: readonly string[]): readonly string[] {
  const bySection = new Map<string, string[]>();
  for (const text of classes) {
    const [heading = "", entry = ""] = text.split("\n");
    bySection.set(heading, [...(bySection.get(heading) ?? []), entry]);
  }
  return [...bySection].map(([heading, entries]) => `${heading}\n${entries.map((entry) => `${entry}\n`).join("")}`);
}

/** Guests as the recordings' inputs show them: agents that answer, and two cards in the one that OpenNebula gave some (golden/probes/README.md). */
export function guestsOf(recordings: Recordings, guestAgentConfiguration: string | undefined): World {
  const world = recordedHost(recordings);
  world.files.put("/sys/bus/pci/devices/0000:41:00.0/vendor", "0x10de\n");
  for (const [file, value] of [["device", "0x2235"], ["class", "0x030200"]] as const) world.files.put(`/sys/bus/pci/devices/0000:41:00.0/${file}`, `${value}\n`);
  const disabled = ":enabled: false\n:commands:\n  :vm_qemu_ping: one-$vm_id '{\"execute\":\"guest-ping\"}' --timeout 5\n";
  world.files.put("/var/tmp/one/etc/im/kvm-probes.d/guestagent.conf", guestAgentConfiguration ?? disabled);
  for (const { uuid } of domainsOf(recordings)) world.processes.put(uuid, { residentKiB: 40_000, swapKiB: 8, cpuTicks: 100 });
  world.processes.ticks = 1000;
  world.clock.after(1000, () => void (world.processes.ticks += 200));
  const { agent } = world.hypervisor.parts;
  for (const name of recordings.names("inputs").filter((each) => each.startsWith("guest-agent-")))
    agent.set(name.slice("guest-agent-".length, -".json".length), (JSON.parse(recordings.input(name)) as { readonly return: unknown }).return);
  agent.set("guest-exec", { pid: 7 });
  agent.set("guest-exec-status", { exited: true, exitcode: 0, "out-data": Buffer.from("GPU-1, 40, 12, 71.25, 10240\nGPU-2, 61, 20, 80.50, 8192\n").toString("base64") });
  return world;
}

/** Datastores as the recorded answer shows them, with the disks whose sizes were recorded, and room as `df` saw it. */
export function storageOf(recordings: Recordings): World {
  const world = recordedHost(recordings);
  const root = "/var/lib/one/datastores";
  const mib = 1024 * 1024;
  const [total = 0, used = 0, available = 0] = recordings.input("df-B1M-P.txt").trim().split("\n").at(-1)?.split(/\s+/).slice(1, 4).map(Number) ?? [];
  world.storage.spaces.set("/", { total: total * mib, used: used * mib, available: available * mib });
  for (const [, id = "", replica] of (recordings.text("host/system-monitor_ds.txt") ?? "").matchAll(/^DS = \[ ID = (\d+),(REPLICA_CACHE)?/gm)) {
    world.files.put(`${root}/${id}/.monitor`, replica === undefined ? "ssh\n" : "replica\n");
    if (replica !== undefined) {
      world.files.put(`${root}/${id}/0123abcd-4567`, "image");
      world.storage.onDisk.set(`${root}/${id}`, 5 * mib + 4096);
    }
  }
  const decoded = recordings.text("vm-monitor/04-monitor_ds_vm.decoded") ?? "";
  for (const [, vm = "", disks = ""] of decoded.matchAll(/--- VM (\d+)\n([^]*?)(?=---|$)/g)) {
    for (const [, disk, size] of disks.matchAll(/DISK_SIZE = \[ ID=(\d+), SIZE=(\d+)\]/g)) {
      world.files.put(`${root}/0/${vm}/disk.${disk}`, "x");
      world.storage.onDisk.set(`${root}/0/${vm}/disk.${disk}`, Number(size) * mib - 4096);
    }
  }
  return world;
}
