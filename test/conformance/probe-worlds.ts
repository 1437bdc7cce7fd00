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
export function madeUpHost(recordings: Recordings): World {
  const lines = (recordings.text("fake-host/lspci-mmnn.stub.txt") ?? "").trim().split("\n").map((line) => /^(\S+) "(.*?) \[(\w+)\]" "(.*?) \[(\w+)\]" "(.*?) \[(\w+)\]"/.exec(line)?.slice(1) ?? []);
  const devices = lines.map(([slot = "", className = "", code = "", vendorName = "", vendor = "", deviceName = "", device = ""]) => ({ slot, className, code, vendorName, vendor, deviceName, device }));
  const ids = devices.flatMap(({ slot, code, vendor, device }) => [["vendor", vendor], ["device", device], ["class", `${code}00`]].map(([file, value]) => [`/sys/bus/pci/devices/0000:${slot}/${file}`, `0x${value}\n`] as const));
  const vendors = [...new Map(devices.map((each) => [each.vendor, each])).values()].map(({ vendor, vendorName }) => `${vendor}  ${vendorName}\n${[...new Set(devices.filter((each) => each.vendor === vendor).map(({ device, deviceName }) => `\t${device}  ${deviceName}\n`))].join("")}`);
  const classes = [...new Set(devices.map(({ code, className }) => `C ${code.slice(0, 2)}  Base\n\t${code.slice(2)}  ${className}\n`))];
  return given({
    files: {
      ...filesOfTree(recordings.text("fake-host/sys-bus-pci-devices.tree.txt") ?? "", "/sys/bus/pci/devices"),
      ...filesOfTree(recordings.text("fake-host/sys-bus-node-devices.tree.txt") ?? "", "/sys/bus/node/devices"),
      ...Object.fromEntries(ids), "/usr/share/misc/pci.ids": ["# names\n", ...vendors, ...mergedClasses(classes)].join(""),
      "/var/tmp/one/etc/im/kvm-probes.d/pci.conf": ":filter: '*:*'\n:nvidia_vendors:\n  - '10de'\n",
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
