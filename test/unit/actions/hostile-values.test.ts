import { afterAll, beforeAll, describe, expect, mock, spyOn, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run as attachDisk } from "../../../src/actions/attach-disk.ts";
import { run as attachNic } from "../../../src/actions/attach-nic.ts";
import { run as detachNic } from "../../../src/actions/detach-nic.ts";
import { run as migrate } from "../../../src/actions/migrate.ts";
import { run as reconfigure } from "../../../src/actions/reconfigure.ts";
import { run as resize } from "../../../src/actions/resize.ts";
import { run as resizeDisk } from "../../../src/actions/resize-disk.ts";
import { run as restore } from "../../../src/actions/restore.ts";
import { run as save } from "../../../src/actions/save.ts";
import { ActionMessage } from "../../../src/codec/action-message.ts";
import { readLiveDevices } from "../../../src/codec/live-devices.ts";
import { escapeXml, parseXml } from "../../../src/codec/xml.ts";
import type { CommandResult } from "../../../src/core/ports.ts";
import { Values } from "../../../src/domain/hotplug/values.ts";
import { FakeHypervisor } from "../../fakes/hypervisor.ts";
import { type Given, type World } from "../../fakes/world.ts";
import { DIRECTORY, documentOf, UUID } from "./document.ts";
import { attached, attributes, CDROM, disk, go, NIC, nic, PATH, pci, running, template } from "./hot-vm.ts";
import { driverMessage } from "./message.ts";
import { namesItself } from "../migration/named-host.ts";

/** Where a command that somebody ran would leave its mark. */
const MARKS = mkdtempSync(join(tmpdir(), "onevirt-hostile-"));

/** Everything that a shell, XML or a log could misread. */
const HOSTILE = `'"><x y='1'/>&amp;$(touch ${MARKS}/a)\`touch ${MARKS}/b\`;touch ${MARKS}/c|\\ *`;

const DISK_TYPES = ["file", "block", "cdrom", "rbd", "iscsi", "gluster", "sheepdog"];
const RATES = ["TOTAL", "READ", "WRITE"].flatMap((who) => ["BYTES", "IOPS"].flatMap((what) => ["", "_MAX", "_MAX_LENGTH"].map((part) => `${who}_${what}_SEC${part}`)));
const DISK_VALUES = ["TYPE", "DISK_TYPE", "DRIVER", "CACHE", "IO", "DISCARD", "IOTHREAD", "VIRTIO_BLK_QUEUES", "SOURCE", "POOL_NAME", "CLONE", "CEPH_HOST", "CEPH_USER", "CEPH_SECRET", "ISCSI_IQN", "ISCSI_HOST", "ISCSI_USER", "ISCSI_USAGE", "GLUSTER_HOST", "GLUSTER_VOLUME", "SHEEPDOG_HOST", "LUKS_SECRET", "ORDER", "READONLY", "SHAREABLE", "SERIAL", "DISK_ID", "SIZE_IOPS_SEC", ...RATES];
const NIC_VALUES = ["BRIDGE", "BRIDGE_TYPE", "NETWORK_MODE", "MAC", "SCRIPT", "TARGET", "ORDER", "MODEL", "VIRTIO_QUEUES", "FILTER", "IP", "VROUTER_IP", ...["INBOUND", "OUTBOUND"].flatMap((way) => ["AVG_BW", "PEAK_BW", "PEAK_KB"].map((what) => `${way}_${what}`))];
const HOST_ADDRESS = ["DOMAIN", "BUS", "SLOT", "FUNCTION"];
const GUEST_ADDRESS = ["VM_DOMAIN", "VM_BUS", "VM_SLOT", "VM_FUNCTION"];
const CEPH_VALUES = ["POOL_NAME", "RBD_FORMAT", "CEPH_USER", "CEPH_CONF"];
const VM_PATHS = ["VM/ID", "VM/TEMPLATE/VCPU", "VM/TEMPLATE/FEATURES/VIRTIO_BLK_QUEUES"];
const SIZES = ["MEMORY", "VCPU", "RESIZE/MEMORY", "RESIZE/VCPU", "MEMORY_RESIZE_MODE"];
const PLACES = ["DATASTORE/BASE_PATH", "DISK_TARGET_PATH"];
const MIGRATE_VALUES = ["VM/TEMPLATE/FEATURES/MIGRATE_AUTO_CONVERGE", "VM/TEMPLATE/FEATURES/MIGRATE_COMPRESSED", "DATASTORE/TEMPLATE/SHARED", "VM/ID"];

/** Every value of a driver message that an action has looked at in these tests. */
const read = new Set<string>();

beforeAll(() => {
  const note = <T extends object>(on: T, method: keyof T & string, name: (...args: readonly string[]) => string | undefined) => {
    const original = (on as Record<string, (...args: unknown[]) => unknown>)[method] as (...args: unknown[]) => unknown;
    spyOn(on as Record<string, (...args: unknown[]) => unknown>, method).mockImplementation(function (this: unknown, ...args: unknown[]) {
      const found = name(...(args as string[]));
      if (found !== undefined) read.add(found);
      return original.apply(this, args);
    });
  };
  note(ActionMessage.prototype, "text", (path) => path);
  note(ActionMessage.prototype, "marked", (path, mark) => `${path}/${mark}`);
  note(Values.prototype, "get", (name) => name);
  note(Values.prototype, "has", (name) => name);
});
afterAll(() => {
  mock.restore();
  rmSync(MARKS, { recursive: true, force: true });
});

/** The names of all elements in a text. */
const elements = (xml: string) => [...xml.matchAll(/<([\w:]+)/g)].map(([, name]) => name).sort();
const code = (outcome: unknown) => (Array.isArray(outcome) ? (outcome as string[])[0] : outcome);

/** One device more, in a document that is well-formed, and nothing of the value outside of its place. */
async function expectOneDevice(world: World, outcome: unknown): Promise<void> {
  expect(outcome).toEqual({ answer: "" });
  const xml = await attached(world);
  parseXml(xml, "the device");
  expect([elements(xml).filter((each) => each === "x"), world.commands.calls]).toEqual([[], []]);
}

describe("17.1 rows 3 and 4: hostile values", () => {
  test.each(DISK_TYPES.flatMap((type) => DISK_VALUES.map((name) => [type, name] as const)))("attach_disk of type %s with a hostile %s attaches one disk and nothing else", async (type, name) => {
    const base = { TYPE: type, SOURCE: "a/b", CEPH_HOST: "h", ISCSI_HOST: "h", GLUSTER_HOST: "h", SHEEPDOG_HOST: "h", GLUSTER_VOLUME: "v", CEPH_USER: "u", CEPH_SECRET: "s", ISCSI_USER: "u", ISCSI_USAGE: "g", ...neededBy(name) };
    using world = running({ vcpu: "<iothreads>2</iothreads>" });
    await expectOneDevice(world, await go(attachDisk, world, { "disk-path": PATH, target: "vdb" }, disk({ ...base, [name]: HOSTILE })));
  });

  test.each(["rbd", "gluster", "sheepdog"].flatMap((type) => VM_PATHS.map((path) => [type, path] as const)))("attach_disk of type %s with a hostile %s of the VM attaches one disk and nothing else", async (type, path) => {
    using world = running();
    const message = disk({ TYPE: type, SOURCE: "a/b", CLONE: "YES", GLUSTER_VOLUME: "v", VIRTIO_BLK_QUEUES: path.endsWith("VCPU") ? "auto" : "" }, path.endsWith("VCPU") ? `<VCPU><![CDATA[${HOSTILE}]]></VCPU>` : path.endsWith("QUEUES") ? `<FEATURES>${attributes({ VIRTIO_BLK_QUEUES: HOSTILE })}</FEATURES>` : "");
    await expectOneDevice(world, await go(attachDisk, world, { "disk-path": PATH, target: "vdb" }, path === "VM/ID" ? message.replace("<ID>7</ID>", `<ID><![CDATA[${HOSTILE}]]></ID>`) : message));
  });

  test("attach_disk writes a hostile path escaped", async () => {
    using world = running();
    const path = `/x/${HOSTILE.replaceAll("/", "")}`;
    await expectOneDevice(world, await go(attachDisk, world, { "disk-path": path, target: "vdb" }, disk({ TYPE: "block" })));
    expect(readLiveDevices(`<domain><devices>${await attached(world)}</devices></domain>`, "the domain").disks.map(({ source }) => source)).toEqual([path]);
  });

  test.each(NIC_VALUES)("attach_nic with a hostile %s attaches one interface and nothing else", async (name) => {
    const base = { BRIDGE: "br0", MAC: "02:00:0a:00:00:09", TARGET: "one-7-1", MODEL: "virtio", FILTER: "f", IP: "10.0.0.1", VIRTIO_QUEUES: "2" };
    using world = running();
    await expectOneDevice(world, await go(attachNic, world, {}, nic({ ...base, [name]: HOSTILE })));
  });

  test("attach_nic with a hostile VCPU attaches one interface and nothing else", async () => {
    using world = running();
    await expectOneDevice(world, await go(attachNic, world, {}, nic({ BRIDGE: "br0", MODEL: "virtio", VIRTIO_QUEUES: "auto" }, attributes({ VCPU: HOSTILE }))));
  });

  test.each(["../../../etc/x", "a/b", "", ".", HOSTILE])("attach_nic of a DPDK NIC refuses the TARGET %j, which would place its socket elsewhere", async (TARGET) => {
    using world = running();
    expect([code(await go(attachNic, world, {}, nic({ BRIDGE: "ovs", BRIDGE_TYPE: "openvswitch_dpdk", TARGET }))), await attached(world)]).toEqual(["BAD_INPUT", ""]);
  });

  test.each([...HOST_ADDRESS, "UUID"])("attach_nic and detach_nic of a PCI device with a hostile %s are refused before libvirt changes anything", async (name) => {
    const message = pci({ DOMAIN: "0000", BUS: "00", SLOT: "02", FUNCTION: "0", [name]: HOSTILE });
    for (const action of [attachNic, detachNic]) {
      using world = running({ devices: "<hostdev mode='subsystem' type='pci'><source><address domain='0x0000' bus='0x00' slot='0x02' function='0x0'/></source><alias name='hostdev0'/></hostdev>" });
      expect([code(await go(action, world, {}, message)), world.hypervisor.calls.filter((call) => call.startsWith("devices."))]).toEqual(["BAD_INPUT", []]);
    }
  });

  test.each(GUEST_ADDRESS)("attach_nic of a PCI device leaves a hostile %s out", async (name) => {
    using world = running({ devices: "<controller type='pci'><alias name='pci.1'/></controller>" });
    expect(await go(attachNic, world, {}, pci({ DOMAIN: "0000", BUS: "00", SLOT: "02", FUNCTION: "0", VM_DOMAIN: "0x0000", VM_BUS: "0x01", VM_SLOT: "0x01", VM_FUNCTION: "0", [name]: HOSTILE }))).toEqual({ answer: "" });
    expect(await attached(world)).toBe("<controller type='pci'><alias name='pci.1'/></controller><hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x00' slot='0x02' function='0x0'/></source></hostdev>");
  });

  test("detach_nic refuses a hostile MAC", async () => {
    using world = running({ devices: NIC });
    expect([code(await go(detachNic, world, { mac: HOSTILE })), world.hypervisor.calls]).toEqual(["BAD_ARGUMENT", []]);
  });

  test.each(["DISK_ID", "TARGET"])("resize_disk with a hostile %s in the message is one clear error", async (name) => {
    using world = running();
    const message = disk({ DISK_ID: "2", TARGET: "vdc", [name]: HOSTILE });
    expect([code(await go(resizeDisk, world, { "disk-id": "2", size: "1" }, message)), world.hypervisor.calls]).toEqual([name === "TARGET" ? "BAD_ARGUMENT" : "BAD_INPUT", []]);
  });

  test.each(SIZES.slice(0, 4))("resize with a hostile %s is one clear error, and nothing changes", async (path) => {
    using world = running();
    expect([code(await go(resize, world, {}, sizes({ [path]: HOSTILE }))), world.hypervisor.calls.filter((call) => call.startsWith("devices."))]).toEqual(["BAD_INPUT", []]);
  });

  test("resize with a hostile MEMORY_RESIZE_MODE is one with the balloon", async () => {
    using world = running({ vcpu: "<vcpu>1</vcpu>" });
    expect([await go(resize, world, {}, sizes({ VCPU: "1", MEMORY_RESIZE_MODE: HOSTILE })), world.hypervisor.calls.filter((call) => call.startsWith("devices."))]).toEqual([{ answer: "" }, [`devices.setMemory ${UUID} 2097152`]]);
  });

  test("reconfigure with a hostile path writes it escaped into the one drive", async () => {
    using world = running({ devices: CDROM("") });
    const path = `/x/${HOSTILE.replaceAll("/", "")}`;
    expect(await go(reconfigure, world, { target: "hda", "context-path": path })).toEqual({ answer: "" });
    const { disks } = readLiveDevices(`<domain><devices>${await attached(world)}</devices></domain>`, "the domain");
    expect([disks.map(({ source }) => source), world.commands.calls]).toEqual([[path], []]);
  });

  test.each(CEPH_VALUES)("save and restore with a hostile %s of the datastore hand it to rbd as one word, and never as an option", async (name) => {
    const datastore = (value: string) => driverMessage({ datastore: `${attributes({ TM_MAD: "ceph" })}<TEMPLATE>${attributes({ [name]: value })}</TEMPLATE>` });
    const words = { "checkpoint-file": `${DIRECTORY}/checkpoint`, vmid: "7" };
    for (const action of [save, restore]) {
      using world = running();
      const argv = recordCommands(world);
      await go(action, world, words, datastore(HOSTILE));
      const whole = argv.flat().filter((word) => word.includes("touch"));
      expect([argv.length > 0, whole.every((word) => word === HOSTILE || word === `${HOSTILE}/one-sys-7-checkpoint`)]).toEqual([true, true]);
      using option = running();
      expect([code(await go(action, option, words, datastore("--conf=/x"))), option.commands.calls]).toEqual(["BAD_INPUT", []]);
    }
  });

  test.each([HOSTILE, "../x", "-x", "a b"])("save and restore refuse the transfer driver %j, which would name a program", async (driver) => {
    const message = driverMessage({ datastore: attributes({ TM_MAD: driver }) });
    for (const action of [save, restore]) {
      using world = running();
      expect([code(await go(action, world, { "checkpoint-file": `${DIRECTORY}/checkpoint`, vmid: "7" }, message)), world.commands.calls]).toEqual(["BAD_INPUT", []]);
    }
  });

  test("migrate sends hostile directories through ssh and rsync as the words they are", async () => {
    const place = `/ds/${HOSTILE.replaceAll("/", "_")}`;
    using world = twoHosts(place);
    const argv = recordCommands(world);
    expect(await go(migrate, world, ARGUMENTS, migration({ "DATASTORE/BASE_PATH": place, DISK_TARGET_PATH: `${place}/7`, "DATASTORE/TEMPLATE/SHARED": "NO" }))).toEqual({ answer: "" });
    const remote = argv.filter(([program]) => program === "ssh").map((words) => wordsOfShell(words.at(-1) ?? ""));
    const paths = [...remote.flat(), ...argv.filter(([program]) => program !== "ssh").flat()].filter((word) => word.includes("touch"));
    expect({ remote: remote.map(([program]) => program), strangers: paths.filter((word) => !word.replace(/^hostb:/, "").startsWith(place)) }).toEqual({ remote: ["test", "mkdir", "test", "qemu-img"], strangers: [] })
  });

  test.each(MIGRATE_VALUES)("migrate with a hostile %s starts no program with it", async (path) => {
    using world = twoHosts("/ds");
    const argv = recordCommands(world);
    const outcome = await go(migrate, world, ARGUMENTS, migration({ [path]: HOSTILE }));
    expect([argv.flat().filter((word) => word.includes("touch")), path.endsWith("CONVERGE") ? code(outcome) : "not asked"]).toEqual([[], path.endsWith("CONVERGE") ? "BAD_INPUT" : "not asked"]);
  });

  test.each([...PLACES.flatMap((path) => [[path, "relative"], [path, "/a/../b"], [path, "/a\nb"], [path, "/"]] as const)])("migrate refuses %s = %j", async (path, value) => {
    using world = twoHosts("/ds");
    const outcome = code(await go(migrate, world, ARGUMENTS, migration({ [path]: value })));
    // "/" is a base like any other; only a directory of one VM must have a name of its own
    expect([path, value, outcome === "BAD_INPUT" || (path.endsWith("BASE_PATH") && value === "/"), world.commands.calls.filter((call) => !call.startsWith("getent "))]).toEqual([path, value, true, []]);
  });

  test("no value that an action reads was left out of these tables, and nothing that a value asked for was run", () => {
    const tried = new Set([...DISK_VALUES, ...NIC_VALUES, ...HOST_ADDRESS, ...GUEST_ADDRESS, "UUID", ...VM_PATHS, ...MIGRATE_VALUES, ...PLACES, "DATASTORE/TM_MAD", ...CEPH_VALUES.map((name) => `DATASTORE/TEMPLATE/${name}`), ...SIZES.map((name) => `VM/TEMPLATE/${name}`)]);
    const marks = ["VM/TEMPLATE/DISK/ATTACH", "VM/TEMPLATE/DISK/DISK_ID", "VM/TEMPLATE/NIC/ATTACH", "VM/TEMPLATE/PCI/ATTACH"]; // compared with a word of ours
    expect({ untried: [...read].filter((name) => !tried.has(name) && !marks.includes(name)), unread: [...tried].filter((name) => !read.has(name)), ran: readdirSync(MARKS) }).toEqual({ untried: [], unread: [], ran: [] });
  });
});

/** Some limits are written only beside others. */
function neededBy(name: string): Readonly<Record<string, string>> {
  if (name === "SIZE_IOPS_SEC") return { TOTAL_IOPS_SEC: "1" };
  return name.endsWith("_LENGTH") ? { [name.slice(0, -"_LENGTH".length)]: "9" } : {};
}

const ARGUMENTS = { "destination-host": "hostb", "source-host": "hosta", vmid: "7", "source-host-again": "hosta" };

function sizes(values: Readonly<Record<string, string>>): string {
  const all: Readonly<Record<string, string>> = { MEMORY: "2048", VCPU: "2", "RESIZE/MEMORY": "1024", "RESIZE/VCPU": "1", MEMORY_RESIZE_MODE: "", ...values };
  return template(`${attributes({ MEMORY: all.MEMORY ?? "", VCPU: all.VCPU ?? "", MEMORY_RESIZE_MODE: all.MEMORY_RESIZE_MODE ?? "" })}<RESIZE>${attributes({ MEMORY: all["RESIZE/MEMORY"] ?? "", VCPU: all["RESIZE/VCPU"] ?? "" })}</RESIZE>`);
}

/** The message of a migration, with these values at these paths. */
function migration(values: Readonly<Record<string, string>>): string {
  const at = (path: string, usual = "") => `<![CDATA[${values[path] ?? usual}]]>`;
  const features = attributes({ MIGRATE_AUTO_CONVERGE: values["VM/TEMPLATE/FEATURES/MIGRATE_AUTO_CONVERGE"] ?? "", MIGRATE_COMPRESSED: values["VM/TEMPLATE/FEATURES/MIGRATE_COMPRESSED"] ?? "" });
  return `<VMM_DRIVER_ACTION_DATA><DISK_TARGET_PATH>${at("DISK_TARGET_PATH", "/ds/7")}</DISK_TARGET_PATH><VM><ID>${at("VM/ID", "7")}</ID><TEMPLATE><FEATURES>${features}</FEATURES></TEMPLATE></VM><DATASTORE><BASE_PATH>${at("DATASTORE/BASE_PATH", "/ds")}</BASE_PATH><TEMPLATE><SHARED>${at("DATASTORE/TEMPLATE/SHARED", "YES")}</SHARED></TEMPLATE></DATASTORE></VMM_DRIVER_ACTION_DATA>`;
}

/** A VM with a disk of its own in a directory, and a host that it can go to. */
function twoHosts(place: string, more: Given = {}): World {
  const uri = "qemu+ssh://hostb/system";
  const devices = `<disk type='file' device='disk'><driver type='qcow2' cache='none'/><source file='${escapeXml(`${place}/7/disk.0`)}'/><target dev='vda'/></disk>`;
  const world = running({ devices, ...more });
  const there = new FakeHypervisor(world.clock, [], uri);
  namesItself(world, there);
  world.others.set(uri, there);
  there.parts.onMigrate = () => {
    world.hypervisor.end(UUID);
    there.put({ name: "one-7", uuid: UUID, xml: documentOf({ devices }) });
  };
  return world;
}

/** Programs that all succeed, but for a look at what is not there; gives their words. */
function recordCommands(world: World): readonly (readonly string[])[] {
  const calls: (readonly string[])[] = [];
  Object.assign(world.commands, {
    run: async (argv: readonly string[]): Promise<CommandResult> => {
      calls.push(argv);
      const looks = argv[0] === "ssh" && argv.at(-1)?.startsWith("'test'");
      return { exitCode: looks ? 1 : 0, stdout: argv.includes("info") ? '{"virtual-size": 1048576}' : argv[0] === "getent" ? "10.0.0.2 STREAM hostb\n" : "", stderr: "" };
    },
  });
  return calls;
}

/** What a real shell takes the words of a line for. It would also run what is not quoted. */
function wordsOfShell(line: string): readonly string[] {
  const { stdout } = Bun.spawnSync(["sh", "-c", `set -- ${line}; printf '%s\\0' "$@"`], { cwd: MARKS });
  return stdout.toString().split("\0").slice(0, -1);
}
