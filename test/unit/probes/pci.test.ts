import { describe, expect, test } from "bun:test";
import { readPciFilter } from "../../../src/codec/pci-filter.ts";
import { PciDatabase } from "../../../src/codec/pci-ids.ts";
import { given, type Given } from "../../fakes/world.ts";
import { runProbe } from "./run.ts";

const IDS = "# comment\n10de  NVIDIA Corporation\n\t2236  GA102GL [A10]\n\t\t10de 1482  Sub\n# between\n\t2237  Other\n8086  Intel Corporation\n\t1572  X710\nC 02  Network controller\n\t00  Ethernet controller\n\t\t01  Interface\nC 03  Display controller\n\t02  3D controller\n";

function device(name: string, { vendor = "8086", device: id = "1572", code = "020000", ...more }: Readonly<Record<string, string>> = {}) {
  const path = `/sys/bus/pci/devices/${name}`;
  return { [`${path}/vendor`]: `0x${vendor}\n`, [`${path}/device`]: `0x${id}\n`, [`${path}/class`]: `0x${code}\n`, ...Object.fromEntries(Object.entries(more).map(([file, text]) => [`${path}/${file}`, text])) };
}

function host(files: Given["files"], configuration = ":filter: '*:*'\n") {
  return given({ files: { "/var/tmp/one/etc/im/kvm-probes.d/pci.conf": configuration, "/usr/share/misc/pci.ids": IDS, ...files } });
}

const attribute = (text: string, name: string) => [...text.matchAll(new RegExp(`^ ${name} = "(.*)" `, "gm"))].map(([, value]) => value);

describe("pci", () => {
  test("a filter that is none is named, and the others select as before", async () => {
    using world = host(device("0000:01:00.0"), ":filter: ['8086', '8086:1572']\n");
    expect(attribute(await runProbe("host/system/pci", world), "SHORT_ADDRESS")).toEqual(["01:00.0"]);
    expect(world.log.lines.join()).toContain('"8086" is no filter of PCI devices');
  });

  test("without a database of names, numbers stand for them", async () => {
    using world = host(device("0001:02:03.4"));
    world.files.remove("/usr/share/misc/pci.ids");
    const text = await runProbe("host/system/pci", world);
    expect(["VENDOR_NAME", "CLASS_NAME", "DEVICE_NAME", "ADDRESS", "SHORT_ADDRESS"].map((name) => attribute(text, name)[0])).toEqual(["Vendor 8086", "Class 0200", "Device 1572", "0001:02:03:4", "02:03.4"]);
  });

  test("the default filter selects nothing and reads no more", async () => {
    using world = host(device("0000:00:01.0"), ":filter: '0:0'\n:short_address: []\n");
    expect(await runProbe("host/system/pci", world)).toBe("");
  });

  test("filters, short addresses and patterns of names select; a device is reported once", async () => {
    using world = host({ ...device("0000:01:00.0"), ...device("0000:02:00.0"), ...device("0000:03:00.0", { vendor: "10de", device: "2237", code: "030200" }) }, ":filter:\n  - '10de:*'\n  - '8086:1572:0200,*:*:02'\n  - '8086:'\n:short_address: ['02:00.0', '03:00.0']\n:device_name: ['x7', 'OTH']\n");
    expect(attribute(await runProbe("host/system/pci", world), "SHORT_ADDRESS")).toEqual(["03:00.0", "02:00.0"]);
  });

  test("qemu hosts have a file of their own, and one that cannot be used is named", async () => {
    using world = host(device("0000:01:00.0"), ":filter: [\n");
    await expect(runProbe("host/system/pci", world)).rejects.toMatchObject({ code: "BAD_CONFIG", message: expect.stringContaining("kvm-probes.d/pci.conf") });
    await expect(runProbe("host/system/pci", world, { driver: "qemu" })).rejects.toThrow("qemu-probes.d/pci.conf");
    world.files.put("/var/tmp/one/etc/im/qemu-probes.d/pci.conf", ":filter: null\n");
    expect(attribute(await runProbe("host/system/pci", world, { driver: "qemu" }), "ADDRESS")).toEqual(["0000:01:00:0"]);
  });

  test("a card that a guest has keeps its name, an administrator's name comes first, and cards without a single port have none", async () => {
    using world = host({
      ...device("0000:01:00.0", { "net/ens1/mtu": "1500\n" }), ...device("0000:02:00.0", { "net/ens2/mtu": "1500\n" }),
      ...device("0000:03:00.0", { "net/a/phys_port_name": "pf0vf0\n", "net/b/mtu": "" }), "/etc/udev/rules.d/99-rename.rules": "# 0000:02:00.0 <- storage0\nSUBSYSTEM==\"net\"\n",
    });
    expect(attribute(await runProbe("host/system/pci", world), "IFNAME")).toEqual(["ens1", "storage0", "-"]);
    world.files.remove("/sys/bus/pci/devices/0000:01:00.0/net/ens1/mtu");
    world.files.remove("/sys/bus/pci/devices/0000:01:00.0/net/ens1");
    expect(attribute(await runProbe("host/system/pci", world), "IFNAME")[0]).toBe("ens1");
    world.files.freeze("/var/tmp/one_db");
    world.files.put("/sys/bus/pci/devices/0000:01:00.0/net/new0/mtu", "1");
    expect(attribute(await runProbe("host/system/pci", world), "IFNAME")[0]).toBe("new0");
    expect(world.log.lines.join()).toContain("new0 is not kept");
  });

  test("legacy virtual GPUs list their types", async () => {
    using world = host({ ...device("0000:42:00.4", { vendor: "10de", device: "2236", code: "030200" }), "/sys/bus/pci/devices/0000:42:00.4/physfn": { link: "../0000:42:00.0" }, "/sys/class/mdev_bus/0000:42:00.4/mdev_supported_types/nvidia-11/name": "x" });
    const text = await runProbe("host/system/pci", world);
    expect([attribute(text, "PROFILES")[0], attribute(text, "MDEV_MODE")[0], attribute(text, "NUMA_NODE")[0]]).toEqual(["nvidia-11", "legacy", "-"]);
  });
});

test.each([
  ["8086:1572", true], ["8086:*", true], [":1572", true], ["8086:", true], ["*:*:0200", true], ["8086:1572:0300", false], ["0:0", false], ["10de:*", false], ["8086", false], ["x:y", false], ["0x8086:", true], ["::02xx", true], ["::03xx", false], ["::0200:01", true], ["::0200:02", false], ["8086:1572;reboot", false], ["", false],
] as const)("the filter %s selects an Intel network card: %p", (filter, expected) => {
  expect(readPciFilter(filter)?.({ vendor: "8086", device: "1572", class: "0200", interface: "01" }) ?? false).toBe(expected);
});

test("names are those of the device's own vendor, comments between lines do not matter", () => {
  const names = new PciDatabase(IDS);
  expect(names.namesOf({ vendor: "10de", device: "2237", class: "0302" })).toEqual({ vendor: "NVIDIA Corporation", device: "Other", class: "3D controller" });
  expect(names.namesOf({ vendor: "10de", device: "1572", class: "0299" })).toEqual({ vendor: "NVIDIA Corporation", device: "Device 1572", class: "Network controller" });
});
