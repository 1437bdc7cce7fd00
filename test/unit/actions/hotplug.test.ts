import { describe, expect, test } from "bun:test";
import { run as attachDisk } from "../../../src/actions/attach-disk.ts";
import { run as attachNic } from "../../../src/actions/attach-nic.ts";
import { run as detachDisk } from "../../../src/actions/detach-disk.ts";
import { run as detachNic } from "../../../src/actions/detach-nic.ts";
import { run as prereconfigure } from "../../../src/actions/prereconfigure.ts";
import { run as reconfigure } from "../../../src/actions/reconfigure.ts";
import { run as resize } from "../../../src/actions/resize.ts";
import { run as resizeDisk } from "../../../src/actions/resize-disk.ts";
import { given, type Given, type World } from "../../fakes/world.ts";
import { DIRECTORY, documentOf, UUID } from "./document.ts";
import { attached, CDROM, disk, go, NIC, nic, PATH, pci, running, template, VDB } from "./hot-vm.ts";
import { driverMessage } from "./message.ts";

async function diskXml(values: Readonly<Record<string, string>>, { target = "vdb", more = "", ...world }: { target?: string; more?: string; devices?: string } & Given = {}): Promise<string> {
  using here = running(world);
  const outcome = await go(attachDisk, here, { "disk-path": PATH, target }, disk(values, more));
  return JSON.stringify(outcome) === '{"answer":""}' ? attached(here) : JSON.stringify(outcome);
}

describe("attach_disk", () => {
  test("attach_disk writes the disk as section 8 has it", async () => {
    expect(await diskXml({ TYPE: "FILE", DRIVER: "qcow2", CACHE: "none", IO: "native", READONLY: "Yes", SHAREABLE: "YES", ORDER: "2", SERIAL: "a b/c-1", LUKS_SECRET: "uu" }, { kvmrc: { DEFAULT_ATTACH_DISCARD: "unmap" } })).toBe(
      `<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap'/><source file='${PATH}'/><target dev='vdb'/><boot order='2'/><readonly/><shareable/><encryption format='luks'><secret type='passphrase' uuid='uu'/></encryption><serial>abc-1</serial></disk>`,
    );
  });

  const kinds: [string, Readonly<Record<string, string>>, string][] = [
    ["a file without a type", {}, `type='file' device='disk'><driver name='qemu' type='raw' cache='default'/><source file='${PATH}'/>`],
    ["a block device", { TYPE: "BLOCK" }, `type='block' device='disk'><driver name='qemu' type='raw' cache='default'/><source dev='${PATH}'/>`],
    ["a CD-ROM", { TYPE: "CDROM", DRIVER: "qcow2" }, `type='file' device='cdrom'><driver name='qemu' type='raw' cache='default'/><source file='${PATH}'/>`],
    ["a CD-ROM on a block device", { TYPE: "cdrom", DISK_TYPE: "BLOCK" }, `type='block' device='cdrom'><driver name='qemu' type='raw' cache='default'/><source dev='${PATH}'/>`],
    ["an image in Ceph", { TYPE: "RBD", SOURCE: "one/one-1", CLONE: "YES", CEPH_HOST: "a:6789 [::1]:3300 b", CEPH_USER: "u", CEPH_SECRET: "s" },
      "type='network' device='disk'><driver name='qemu' type='raw' cache='default'/><source protocol='rbd' name='one/one-1-7-1'><host name='a' port='6789'/><host name='::1' port='3300'/><host name='b'/></source><auth username='u'><secret type='ceph' uuid='s'/></auth>"],
    ["a volatile disk in Ceph", { TYPE: "FS", DISK_TYPE: "RBD", POOL_NAME: "ssd" }, "type='network' device='disk'><driver name='qemu' type='raw' cache='default'/><source protocol='rbd' name='ssd/one-sys-7-1'/>"],
    ["iSCSI", { TYPE: "ISCSI", ISCSI_IQN: "iqn.x/1", ISCSI_HOST: "h:3260", ISCSI_USER: "u", ISCSI_USAGE: "g" },
      "type='network' device='disk'><driver name='qemu' type='raw' cache='default'/><source protocol='iscsi' name='iqn.x/1'><host name='h' port='3260'/></source><auth username='u'><secret type='iscsi' usage='g'/></auth>"],
    ["Gluster", { TYPE: "GLUSTER", GLUSTER_VOLUME: "v", SOURCE: "/a/b.img", GLUSTER_HOST: "h" }, "type='network' device='disk'><driver name='qemu' type='raw' cache='default'/><source protocol='gluster' name='v/b.img'><host name='h' transport='tcp'/></source>"],
    ["an image in Ceph by DISK_TYPE alone", { TYPE: "FILE", DISK_TYPE: "RBD", SOURCE: "one/one-1", POOL_NAME: "ssd" }, "type='network' device='disk'><driver name='qemu' type='raw' cache='default'/><source protocol='rbd' name='ssd/one-sys-7-1'/>"],
    ["a CD-ROM in Sheepdog", { TYPE: "sheepdog_cdrom", SOURCE: "v", CLONE: "YES", SHEEPDOG_HOST: "h:7000" }, "type='network' device='cdrom'><driver name='qemu' type='raw' cache='default'/><source protocol='sheepdog' name='v-7-1'><host name='h' port='7000' transport='tcp'/></source>"],
    ["a type that every object has", { TYPE: "constructor" }, `type='file' device='disk'><driver name='qemu' type='raw' cache='default'/><source file='${PATH}'/>`],
  ];
  test.each(kinds)("attach_disk of %s", async (_what, values, expected) => {
    expect(await diskXml(values)).toBe(`<disk ${expected}<target dev='vdb'/></disk>`);
  });

  test("attach_disk refuses a Gluster disk without a name", async () => {
    expect(await diskXml({ TYPE: "GLUSTER", GLUSTER_VOLUME: "v", SOURCE: "" })).toBe('["BAD_INPUT","Cannot attach the disk: SOURCE of GLUSTER disk 1 is empty"]');
  });

  test("attach_disk spreads virtio disks over the I/O threads of the domain, and never names one that it does not have", async () => {
    const threads = async (values: Readonly<Record<string, string>>, target = "vdb") => {
      using world = given({ domains: [{ name: "one-7", uuid: UUID, xml: documentOf().replace("<os>", "<iothreads>2</iothreads><os>") }] });
      await go(attachDisk, world, { "disk-path": PATH, target }, disk(values));
      return /iothread='(\d+)'/.exec(await attached(world))?.[1];
    };
    expect(await Promise.all([threads({}), threads({ DISK_ID: "2" }), threads({ IOTHREAD: "1" }), threads({ IOTHREAD: "9" }), threads({ IOTHREAD: "x" }), threads({}, "sdb")])).toEqual(["2", "1", "1", "2", "2", undefined]);
  });

  test("attach_disk takes queues from the disk, the VM, then kvmrc; auto means one for each processor", async () => {
    const queues = async (values: Readonly<Record<string, string>>, more = "", kvmrc = {}) => /queues='([^']*)'/.exec(await diskXml(values, { more, kvmrc }))?.[1];
    expect([await queues({}), await queues({ VIRTIO_BLK_QUEUES: "3" }), await queues({ VIRTIO_BLK_QUEUES: "auto" }, "<VCPU>4</VCPU>"), await queues({}, "<FEATURES><VIRTIO_BLK_QUEUES>5</VIRTIO_BLK_QUEUES></FEATURES>"), await queues({}, "", { DEFAULT_ATTACH_VIRTIO_BLK_QUEUES: "auto" })]).toEqual([undefined, "3", "4", "5", "1"]);
  });

  test("attach_disk limits the rates as section 8.2 says", async () => {
    const tune = async (values: Readonly<Record<string, string>>, kvmrc = {}) => /<iotune>(.*)<\/iotune>/.exec(await diskXml(values, { kvmrc }))?.[1];
    expect([
      await tune({ READ_BYTES_SEC: "10", WRITE_BYTES_SEC: "20" }), await tune({ TOTAL_BYTES_SEC: "5", READ_BYTES_SEC: "10" }), await tune({ TOTAL_IOPS_SEC: "5", TOTAL_IOPS_SEC_MAX: "9", TOTAL_IOPS_SEC_MAX_LENGTH: "3", SIZE_IOPS_SEC: "4096" }),
      await tune({ TOTAL_IOPS_SEC: "5", TOTAL_IOPS_SEC_MAX: "4", TOTAL_IOPS_SEC_MAX_LENGTH: "3" }), await tune({ SIZE_IOPS_SEC: "1" }), await tune({}, { DEFAULT_ATTACH_READ_IOPS_SEC: "7" }),
    ]).toEqual([
      "<read_bytes_sec>10</read_bytes_sec><write_bytes_sec>20</write_bytes_sec>", "<total_bytes_sec>5</total_bytes_sec>", "<total_iops_sec>5</total_iops_sec><total_iops_sec_max>9</total_iops_sec_max><total_iops_sec_max_length>3</total_iops_sec_max_length><size_iops_sec>4096</size_iops_sec>",
      "<total_iops_sec>5</total_iops_sec>", undefined, "<read_iops_sec>7</read_iops_sec>",
    ]);
  });

  test("attach_disk gives SCSI disks their place by all letters of the target", async () => {
    const place = async (target: string) => /<address [^>]*target='(\d+)'/.exec(await diskXml({}, { target }))?.[1];
    expect(await Promise.all(["sda", "sdz", "sdaa", "vda", "sdzz"].map(place))).toEqual(["0", "25", "26", undefined, undefined]);
  });

  test("attach_disk follows a link of OpenNebula one level", async () => {
    expect(await diskXml({}, { files: { [PATH.replace("//", "/")]: { link: "disk.1.snap/0" }, [`${PATH.replace("//", "/")}.snap/0`]: "x" } })).toContain("disk.1.snap/0");
  });

  test.each(["", "<x/>", "<VMM_DRIVER_ACTION_DATA/>", template("<DISK><DISK_ID>1</DISK_ID></DISK>")])("attach_disk refuses the message %j: no disk is attached by guessing", async (stdin) => {
    using world = running();
    expect([((await go(attachDisk, world, { "disk-path": PATH, target: "vdb" }, stdin)) as string[])[0], world.hypervisor.calls]).toEqual(["BAD_INPUT", []]);
  });

  test("attach_disk reads the message from its argument when stdin is empty", async () => {
    using world = running();
    expect(await go(attachDisk, world, { "disk-path": PATH, target: "vdb", "driver-message": Buffer.from(disk({})).toString("base64") })).toEqual({ answer: "" });
  });

  test.each(["vdb'/>", "vdb;id", "../x", "", "VDB", "vd1"])("attach_disk refuses the target %j", async (target) => {
    using world = running();
    expect([((await go(attachDisk, world, { "disk-path": PATH, target }, disk({}))) as string[])[0], world.hypervisor.calls]).toEqual(["BAD_ARGUMENT", []]);
  });

  test("attach_disk to a target that is taken is refused before libvirt, which would change the medium of a drive there", async () => {
    using world = running({ devices: VDB });
    expect([await go(attachDisk, world, { "disk-path": PATH, target: "vdb" }, disk({ TYPE: "CDROM" })), await attached(world), world.hypervisor.calls.filter((call) => call.startsWith("devices."))]).toEqual([["INVALID_STATE", '"one-7" has disk vdb already'], VDB, []]);
  });

  test("attach_disk whose answer does not come and whose disk is not there is of unknown outcome", async () => {
    using world = running();
    world.hypervisor.hangs("devices.attach");
    expect(((await go(attachDisk, world, { "disk-path": PATH, target: "vdb" }, disk({}))) as string[])[0]).toBe("OUTCOME_UNKNOWN");
  });

  test("attach_disk whose answer was lost is done when the domain has the disk", async () => {
    using world = running();
    world.hypervisor.breaks("devices.attach", { done: true });
    expect(await go(attachDisk, world, { "disk-path": PATH, target: "vdb" }, disk({}))).toEqual({ answer: "" });
  });
});

describe("detach_disk", () => {
  const detach = (world: World, target = "vdb") => go(detachDisk, world, { "disk-path": PATH, target });

  test("detach_disk is done when the document has lost the disk", async () => {
    using world = running({ devices: VDB });
    expect([await detach(world), await attached(world)]).toEqual([{ answer: "" }, ""]);
  });

  test("detach_disk does not take vdba, or a text that mentions it, for vdb", async () => {
    using world = running({ devices: VDB.replace("vdb", "vdba").replace("/x", "/vdb") });
    expect([await detach(world), (await attached(world)).includes("vdba")]).toEqual([{ answer: "" }, true]);
  });

  test.each([["refused", "the guest does not give disk vdb back"], ["silent", "the guest did not give disk vdb back within 60 s; it may still do so"]] as const)("detach_disk that is %s says so, and the disk is still there", async (removal, message) => {
    using world = running({ devices: VDB });
    world.hypervisor.parts.removal = removal;
    expect([await detach(world), await attached(world)]).toEqual([["NOT_DONE", message], VDB]);
  });

  test("detach_disk that the guest refuses while libvirt itself still waits says so at once, and the disk is still there", async () => {
    using world = running({ devices: VDB });
    const begin = world.clock.monotonicMs();
    world.hypervisor.fails("devices.detach", "REMOVAL_REFUSED");
    expect([await detach(world), await attached(world), world.clock.monotonicMs() - begin]).toEqual([["NOT_DONE", "the guest does not give disk vdb back"], VDB, 0]);
  });

  test("detach_disk of what is gone already is a retry; of a domain that is gone, an error", async () => {
    using world = running();
    using gone = given();
    expect([await detach(world), ((await detach(gone)) as string[])[0]]).toEqual([{ answer: "" }, "DOMAIN_NOT_FOUND"]);
  });

  test("17.1 row 1: detach_disk whose check cannot reach libvirt is not a success", async () => {
    using world = running({ devices: VDB });
    world.hypervisor.next("devices.detach", async () => undefined).next("domainXml", (proceed) => proceed()).fails("domainXml", "LIBVIRT_UNREACHABLE");
    expect(((await detach(world)) as string[])[0]).toBe("LIBVIRT_UNREACHABLE");
  });
});

describe("attach_nic", () => {
  const interfaceOf = async (values: Readonly<Record<string, string>>, { more = "", ...world }: { more?: string } & Given = {}) => {
    using here = running(world);
    const outcome = await go(attachNic, here, { mac: "02:00:0a:00:00:09" }, nic({ MAC: "02:00:0a:00:00:09", ...values }, more));
    return JSON.stringify(outcome) === '{"answer":""}' ? attached(here) : JSON.stringify(outcome);
  };
  const MAC = "<mac address='02:00:0a:00:00:09'/>";

  const shapes: [string, Readonly<Record<string, string>>, string, Given & { more?: string }][] = [
    ["a bridge", { BRIDGE: "br0", TARGET: "one-7-1" }, `<interface type='bridge'><source bridge='br0'/>${MAC}<target dev='one-7-1'/><model type='virtio'/></interface>`, { kvmrc: { DEFAULT_ATTACH_NIC_MODEL: "virtio" } }],
    ["no bridge", {}, `<interface type='ethernet'>${MAC}</interface>`, {}],
    ["a dummy network", { BRIDGE: "br0", NETWORK_MODE: "Dummy" }, `<interface type='ethernet'>${MAC}</interface>`, {}],
    ["Open vSwitch", { BRIDGE: "ovs", BRIDGE_TYPE: "openvswitch" }, `<interface type='bridge'><virtualport type='openvswitch'/><source bridge='ovs'/>${MAC}</interface>`, {}],
    ["DPDK", { BRIDGE: "ovs", BRIDGE_TYPE: "openvswitch_dpdk", TARGET: "one-7-1" }, `<interface type='vhostuser'><source type='unix' mode='server' path='/var/run/one/vhost-socks/one-7-1' />${MAC}<target dev='one-7-1'/></interface>`, {}],
    ["DPDK with an oned that has its sockets elsewhere", { BRIDGE: "ovs", BRIDGE_TYPE: "openvswitch_dpdk", TARGET: "one-7-1" }, `<interface type='vhostuser'><source type='unix' mode='server' path='/var/lib/one/vhost-sockets/one-7-1' />${MAC}<target dev='one-7-1'/></interface>`, { version: "7.2.1" }],
    ["a bridge without a name", { BRIDGE: "" }, '["BAD_INPUT","BRIDGE of the NIC is empty"]', {}],
    ["queues, a filter and a bandwidth", { BRIDGE: "b", MODEL: "virtio", VIRTIO_QUEUES: "auto", FILTER: "clean-traffic", IP: "10.0.0.1", VROUTER_IP: "10.0.0.2", INBOUND_AVG_BW: "100", OUTBOUND_PEAK_KB: "7" },
      `<interface type='bridge'><source bridge='b'/>${MAC}<model type='virtio'/><driver name='vhost' queues='2'/><filterref filter='clean-traffic'><parameter name='IP' value='10.0.0.1'/><parameter name='IP' value='10.0.0.2'/></filterref><bandwidth><inbound average='100'/><outbound burst='7'/></bandwidth></interface>`, { more: "<VCPU>2</VCPU>" }],
  ];
  test.each(shapes)("attach_nic of %s", async (_what, values, expected, world) => {
    expect(await interfaceOf(values, world)).toBe(expected);
  });

  test("attach_nic refuses a MAC that the VM has", async () => {
    using world = running({ devices: NIC });
    expect(await go(attachNic, world, {}, nic({ MAC: "02:00:0A:00:00:05", BRIDGE: "b" }))).toEqual(["INVALID_STATE", '"one-7" has interface 02:00:0a:00:00:05 already']);
  });

  test("attach_nic of a PCI device, a virtual function and a mediated device", async () => {
    const address = { DOMAIN: "0000", BUS: "3b", SLOT: "02", FUNCTION: "1" };
    const source = "domain='0x0000' bus='0x3b' slot='0x02' function='0x1'";
    const attach = async (values: Readonly<Record<string, string>>, more: Given & { devices?: string } = {}) => {
      using world = running(more);
      expect(await go(attachNic, world, {}, pci(values))).toEqual({ answer: "" });
      return attached(world);
    };
    const place = { VM_DOMAIN: "0x0000", VM_BUS: "0x01", VM_SLOT: "0x02", VM_FUNCTION: "0" };
    const bridge = "<controller type='pci' index='1'><alias name='pci.1'/></controller>";
    const taken = `${bridge}<interface type='bridge'><address type='pci' domain='0x0000' bus='0x01' slot='0x02' function='0x0'/></interface>`;
    expect([await attach(address), await attach(address, { files: { "/sys/bus/pci/devices/0000:3b:02.1/physfn": { link: "../0000:3b:00.0" } } }), await attach({ ...address, UUID: UUID }), await attach({ ...address, ...place }, { devices: bridge }), await attach({ ...address, ...place }, { devices: taken })]).toEqual([
      `<hostdev mode='subsystem' type='pci' managed='yes'><source><address ${source}/></source></hostdev>`,
      `<interface type='hostdev' managed='yes'><source><address type='pci' ${source}/></source></interface>`,
      `<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='${UUID}'/></source></hostdev>`,
      `${bridge}<hostdev mode='subsystem' type='pci' managed='yes'><source><address ${source}/></source><address type='pci' domain='0x0000' bus='0x01' slot='0x02' function='0'/></hostdev>`,
      `${taken}<hostdev mode='subsystem' type='pci' managed='yes'><source><address ${source}/></source></hostdev>`,
    ]);
  });
});

describe("detach_nic", () => {
  test("detach_nic finds the interface by its MAC, whatever its type", async () => {
    using world = running({ devices: NIC.replace("bridge", "ethernet") });
    expect([await go(detachNic, world, { mac: "02:00:0A:00:00:05" }, driverMessage()), await attached(world)]).toEqual([{ answer: "" }, ""]);
  });

  test("detach_nic of what is gone is a retry, of no MAC an error", async () => {
    using world = running();
    expect([await go(detachNic, world, { mac: "02:00:0a:00:00:05" }, driverMessage()), ((await go(detachNic, world, { mac: "" }, driverMessage())) as string[])[0]]).toEqual([{ answer: "" }, "BAD_ARGUMENT"]);
  });

  test("detach_nic that never happens is an error with a sentence", async () => {
    using world = running({ devices: NIC });
    world.hypervisor.parts.removal = "silent";
    expect(await go(detachNic, world, { mac: "02:00:0a:00:00:05" }, driverMessage())).toEqual(["NOT_DONE", "the guest did not give interface 02:00:0a:00:00:05 back within 60 s; it may still do so"]);
  });

  test("detach_nic needs no message for a NIC, and does not take another NIC with the same MAC for the one that went", async () => {
    using world = running({ devices: NIC + NIC.replace("net1", "net2") });
    expect([await go(detachNic, world, { mac: "02:00:0a:00:00:05" }), await attached(world)]).toEqual([{ answer: "" }, NIC.replace("net1", "net2")]);
  });

  test("detach_nic of an unreadable message is an error: it might have meant a PCI device", async () => {
    using world = running({ devices: NIC });
    expect([((await go(detachNic, world, { mac: "02:00:0a:00:00:05" }, "<x")) as string[])[0], await attached(world)]).toEqual(["BAD_INPUT", NIC]);
  });

  test("detach_nic takes a mediated device by its UUID, and a PCI device only at its own address", async () => {
    const mdev = `<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='${UUID}'/></source><alias name='hostdev0'/></hostdev>`;
    const card = "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x3b' slot='0x00' function='0x0'/></source><alias name='hostdev1'/></hostdev>";
    using world = running({ devices: mdev + card });
    expect([await go(detachNic, world, {}, pci({ UUID: UUID.toUpperCase() })), await attached(world)]).toEqual([{ answer: "" }, card]);
    expect([await go(detachNic, world, {}, pci({ DOMAIN: "0", BUS: "3b", SLOT: "0", FUNCTION: "1" })), await attached(world)]).toEqual([{ answer: "" }, card]);
  });

  test("detach_nic takes a virtual function that was attached as an interface", async () => {
    const vf = "<interface type='hostdev' managed='yes'><source><address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='0x1'/></source><alias name='hostdev0'/></interface>";
    using world = running({ devices: vf });
    expect([await go(detachNic, world, {}, pci({ DOMAIN: "0", BUS: "3b", SLOT: "2", FUNCTION: "1" })), await attached(world)]).toEqual([{ answer: "" }, ""]);
  });
});

describe("resize", () => {
  const message = ({ memory = "1024", vcpu = "2", oldMemory = "1024", oldVcpu = "2", mode = "" } = {}) =>
    template(`<MEMORY>${memory}</MEMORY><VCPU>${vcpu}</VCPU><MEMORY_RESIZE_MODE>${mode}</MEMORY_RESIZE_MODE><RESIZE><MEMORY>${oldMemory}</MEMORY><VCPU>${oldVcpu}</VCPU></RESIZE>`);
  const changes = (world: World) => world.hypervisor.calls.filter((call) => call.startsWith("devices."));

  test("resize sets the balloon and the processors, and nothing that is as it was", async () => {
    using both = running();
    using none = running();
    expect([await go(resize, both, {}, message({ memory: "2048", vcpu: "4" })), changes(both), await go(resize, none, {}, message()), changes(none)]).toEqual([
      { answer: "" }, [`devices.setMemory ${UUID} 2097152`, `devices.setVcpus ${UUID} 4`], { answer: "" }, [],
    ]);
  });

  test("resize with HOTPLUG adds and takes modules of the difference, in the first NUMA cell when there is one", async () => {
    using world = given({ domains: [{ name: "one-7", uuid: UUID, xml: documentOf().replace("<os>", "<cpu><numa><cell id='0' cpus='0-1' memory='1048576'/></numa></cpu><os>") }] });
    using plain = running();
    await go(resize, world, {}, message({ memory: "1536", mode: "HOTPLUG" }));
    await go(resize, plain, {}, message({ memory: "1536", mode: "HOTPLUG" }));
    expect([await attached(world), await attached(plain)]).toEqual(["<memory model='dimm'><target><size unit='MiB'>512</size><node>0</node></target></memory>", "<memory model='dimm'><target><size unit='MiB'>512</size></target></memory>"]);
  });

  test("resize without old values compares with what the domain has", async () => {
    using world = running({ vcpu: "<vcpu current='2'>8</vcpu><currentMemory>1048576</currentMemory>" });
    expect([await go(resize, world, {}, template("<MEMORY>1024</MEMORY><VCPU>3</VCPU>")), changes(world)]).toEqual([{ answer: "" }, [`devices.setVcpus ${UUID} 3`]]);
  });

  test("resize takes the memory back when the processors are refused", async () => {
    using world = running();
    world.hypervisor.fails("devices.setVcpus", "LIBVIRT_FAILED");
    expect([await go(resize, world, {}, message({ memory: "2048", vcpu: "4" })), world.hypervisor.parts.memory.get(UUID)]).toEqual([["LIBVIRT_FAILED", "Failed to resize VCPU to 4 on one-7: Cannot devices.setVcpus: scripted LIBVIRT_FAILED"], 1048576]);
  });

  test.each(["0", "-1", "1e3", "1;id", "x"])("resize refuses the memory %j", async (memory) => {
    using world = running();
    expect([((await go(resize, world, {}, message({ memory }))) as string[])[0], changes(world)]).toEqual(["BAD_INPUT", []]);
  });
});

describe("resize_disk", () => {
  const message = disk({ TARGET: "vdc", DISK_ID: "2" });
  const grow = (world: World, args = {}) => go(resizeDisk, world, { "disk-id": "2", size: "100", ...args }, message);

  test("resize_disk tells libvirt the size of the disk with this number", async () => {
    using world = running();
    expect([await grow(world), [...world.hypervisor.parts.sizes]]).toEqual([{ answer: "" }, [["vdc", 104857600]]]);
  });

  test("resize_disk of a disk that is not in the message is an error, not a call for nothing", async () => {
    using world = running();
    expect([await grow(world, { "disk-id": "9" }), world.hypervisor.calls]).toEqual([["BAD_INPUT", "the driver message has no disk 9"], []]);
  });

  test.each([{ size: "" }, { size: "1M" }, { "disk-id": "x" }, { size: "-5" }])("resize_disk refuses %j", async (args) => {
    using world = running();
    expect(((await grow(world, args)) as string[])[0]).toBe("BAD_ARGUMENT");
  });
});

describe("prereconfigure and reconfigure", () => {
  const CONTEXT = `${DIRECTORY}/disk.9`;

  test("prereconfigure ejects by force, and reconfigure inserts the new image", async () => {
    using world = running({ devices: CDROM(`<source file='${CONTEXT}'/>`) });
    let force: boolean | undefined;
    world.hypervisor.next("devices.update", (proceed, _uuid, _xml, options) => ((force = options.force), proceed()));
    expect([await go(prereconfigure, world, { target: "hda" }), force, (await attached(world)).includes("source")]).toEqual([{ answer: "" }, true, false]);
    expect([await go(reconfigure, world, { target: "hda", "context-path": CONTEXT }), await attached(world)]).toEqual([{ answer: "" }, `<disk type='file' device='cdrom'><source file='${CONTEXT}'/><target dev='hda' bus='ide'/><readonly/><alias name='ide0-0-0'/></disk>`]);
  });

  test("prereconfigure of an empty drive, of no context and of no VM does nothing", async () => {
    using world = running({ devices: CDROM("") });
    expect([await go(prereconfigure, world, { target: "hda" }), await go(prereconfigure, world, { target: "" }), await go(prereconfigure, world, { "deploy-id": "", target: "hda" }), world.log.lines, world.hypervisor.calls.filter((call) => call.startsWith("devices."))]).toEqual([
      { answer: "" }, { answer: "" }, { answer: "" }, ["DEBUG: CDROM already ejected"], [],
    ]);
  });

  test("reconfigure of a drive that holds another medium is an error; of the same one, it is inserted again", async () => {
    using other = running({ devices: CDROM("<source file='/other'/>") });
    using same = running({ devices: CDROM(`<source file='${CONTEXT}'/>`) });
    expect([((await go(reconfigure, other, { target: "hda", "context-path": CONTEXT })) as string[])[0], await go(reconfigure, same, { target: "hda", "context-path": CONTEXT }), same.hypervisor.calls.filter((call) => call.startsWith("devices.")).length]).toEqual(["INVALID_STATE", { answer: "" }, 2]);
  });

  test("reconfigure names a drive that the VM does not have", async () => {
    using world = running();
    expect(await go(reconfigure, world, { target: "hda", "context-path": CONTEXT })).toEqual(["DEVICE_NOT_FOUND", '"one-7" has no drive hda']);
  });
});
