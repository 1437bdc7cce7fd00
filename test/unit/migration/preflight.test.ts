import { describe, expect, test } from "bun:test";
import { gatherFacts, type MigrationFacts } from "../../../src/migration/facts.ts";
import { readMigrationOptions } from "../../../src/migration/option-reader.ts";
import { preflight } from "../../../src/migration/preflight.ts";
import { libvirtUri, type MigrationRequest } from "../../../src/migration/request.ts";
import { FakeHypervisor } from "../../fakes/hypervisor.ts";
import { given } from "../../fakes/world.ts";
import { UUID } from "../actions/document.ts";

const request: MigrationRequest = { ref: UUID, source: "hosta", destination: "hostb", destinationUri: "qemu+ssh://hostb/system", shared: true, sourceDirectory: "/ds/0/7", destinationDirectory: "/ds/0/7" };
const options = (...words: string[]) => readMigrationOptions(words, { autoConverge: "", compressed: "" });
const facts: MigrationFacts = {
  domain: { name: "one-7", uuid: UUID, id: 1, state: "running", reason: 1 }, disks: [], hostDevices: [], virtiofs: false, snapshots: [], sameHost: { value: false }, there: undefined, sameName: undefined,
  machine: "pc-q35-7.2", machineRefused: { value: "" }, cpu: { value: "identical" }, userfaultsDenied: false, address: undefined,
};
const disk = { target: "vda", type: "file", device: "disk", format: "qcow2", cache: "none", readOnly: false, shareable: false, path: "/ds/0/7/disk.0", hasBackingFile: false };
const shared = { need: "nothing", because: "the datastore is shared" } as const;
const other = { name: "one-7", uuid: "11111111-2222-4333-8444-555555555555", id: 3, state: "running", reason: 1 } as const;
const texts = (more: Partial<MigrationFacts>, asked: Partial<MigrationRequest> = {}, ...words: string[]) => preflight({ ...facts, ...more }, { ...request, ...asked }, options(...words)).map(({ kind, text }) => `${kind}: ${text}`);

describe("preflight of a migration", () => {
  test("has nothing to say of two hosts that fit", () => {
    expect(texts({ disks: [{ disk, plan: shared }] })).toEqual([]);
    expect([texts({ address: { value: { name: "hostb", addresses: ["10.0.0.2"] } } }), texts({ address: { unknown: "ssh" } })]).toEqual([[], []]); // what cannot be told refuses nothing
  });

  test.each<[string, Partial<MigrationFacts>, Partial<MigrationRequest>, string]>([
    ["the same host name", {}, { destination: "hosta" }, 'refusal: "hosta" is the host that the VM runs on'],
    ["a name that is everybody's", {}, { destination: "localhost" }, 'refusal: "localhost" is this host for everybody: the destination needs a name that other hosts know'],
    ["the same host UUID", { sameHost: { value: true } }, {}, "refusal: hostb has the same host UUID as this host: it is the same machine, or a copy of it (host_uuid in libvirtd.conf)"],
    ["a VM that is off", { domain: { ...facts.domain, state: "shutoff" } }, {}, 'refusal: "one-7" is not running: libvirt reports it shutoff'],
    ["a destination whose name this host does not know", { address: { value: { name: "hostb.lan", addresses: [] } } }, {}, 'refusal: hostb calls itself "hostb.lan", and QEMU here would be told to send the memory there: this host does not know the name; correct DNS or /etc/hosts, or name an address with MIGRATE_URI in onevirt.conf (also where qemu.conf there has migration_host)'],
    ["a destination whose name leads back here", { address: { value: { name: "hostb", addresses: ["10.0.0.2", "127.0.1.1"] } } }, {}, 'refusal: hostb calls itself "hostb", and QEMU here would be told to send the memory there: here that is 127.0.1.1, this host itself; correct DNS or /etc/hosts, or name an address with MIGRATE_URI in onevirt.conf (also where qemu.conf there has migration_host)'],
    ["the VM on the destination", { there: facts.domain }, {}, 'refusal: hostb has "one-7" already: libvirt reports it running'],
    ["another domain of that name there", { sameName: other }, {}, 'refusal: hostb has another domain "one-7" (11111111-2222-4333-8444-555555555555, running)'],
    ["an unknown machine type", { machineRefused: { value: "no such machine" } }, {}, 'refusal: hostb cannot run machine type "pc-q35-7.2": no such machine'],
    ["a machine type that cannot be told", { machineRefused: { unknown: "why" } }, {}, 'warning: whether hostb has machine type "pc-q35-7.2" is not known: why'],
    ["a lesser CPU", { cpu: { value: "incompatible" } }, {}, "refusal: the CPU of hostb lacks what the guest uses; give the VM a CPU model that both hosts have"],
    ["a CPU that cannot be told", { cpu: { unknown: "why" } }, {}, "warning: whether the CPU of hostb fits is not known: why"],
    ["a device of the host", { hostDevices: ["pci device hostdev0"] }, {}, "refusal: the guest has a device of this host, which cannot move: pci device hostdev0"],
    ["virtiofs", { virtiofs: true }, {}, "refusal: the guest has a directory of this host mounted with virtiofs"],
    ["cache", { disks: [{ disk: { ...disk, cache: "writeback" }, plan: shared }] }, {}, 'warning: disk vda has cache mode "writeback": libvirt refuses that unless its file system is a cluster\'s, or MIGRATE_OPTIONS has --unsafe'],
    ["snapshots in copied images", { snapshots: ["snap-0"], disks: [{ disk, plan: { need: "copy", make: "image" } }] }, { shared: false }, "refusal: the VM has system snapshots (snap-0) inside images that would be copied (vda), and the copy would be without them: delete them, or migrate with the VM off"],
    ["another directory on another host", {}, { shared: false, destinationDirectory: "/ds/100/7" }, "refusal: storage is not shared, and the directory of the VM would change from /ds/0/7 to /ds/100/7 at the same time: change the host first, then the datastore"],
    ["no directory", {}, { shared: false, destinationDirectory: undefined }, "refusal: storage is not shared, and the driver message does not name the directory of the VM on the destination"],
  ])("names %s", (_what, more, asked, text) => {
    expect(texts(more, asked)).toEqual([text]);
  });

  test("says all of it, and does not mind what --unsafe and copies allow", () => {
    expect(texts({ virtiofs: true, there: facts.domain, hostDevices: ["a", "b"] }).length).toBe(4);
    const cached = { disks: [{ disk: { ...disk, cache: "writeback" }, plan: shared }] };
    expect([texts(cached, {}, "--unsafe"), texts(cached, {}, "--copy-storage-all"), texts({ disks: [{ disk: { ...disk, cache: "default", readOnly: true }, plan: shared }] })]).toEqual([[], [], []]);
    expect([texts({ userfaultsDenied: true }), texts({ userfaultsDenied: true }, {}, "--postcopy").length]).toEqual([[], 1]);
    expect(texts({ there: { ...facts.domain, state: "shutoff" }, sameName: { ...facts.domain, state: "shutoff" } })).toEqual([]); // only a definition of its own
  });
});

describe("facts of a migration", () => {
  const XML = (type: string, inner: string) => `<domain type='${type}'><name>one-7</name><uuid>${UUID}</uuid><os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>${inner}</domain>`;
  const gather = (xml: string, prepare: (here: FakeHypervisor, there: FakeHypervisor) => void = () => undefined) => {
    const world = given({ domains: [{ name: "one-7", uuid: UUID, xml }] });
    const there = new FakeHypervisor(world.clock);
    prepare(world.hypervisor, there);
    return gatherFacts({ name: "one-7", uuid: UUID, id: 1, state: "running", reason: 1 }, true, { source: world.hypervisor, destination: there, files: world.files }, world.deadline);
  };

  test("compare the CPU of a KVM guest only: its own model, or the source's with host-passthrough", async () => {
    const asked: string[] = [];
    const record = (_here: FakeHypervisor, there: FakeHypervisor) => void there.next("node.compareCpu", async (_proceed, xml) => (asked.push(xml), "incompatible"));
    expect((await gather(XML("qemu", "<cpu mode='custom'><model>qemu64</model></cpu>"))).cpu).toBeUndefined();
    expect((await gather(XML("kvm", ""))).cpu).toBeUndefined();
    expect((await gather(XML("kvm", "<cpu mode='custom'><model>Haswell</model></cpu>"), record)).cpu).toEqual({ value: "incompatible" });
    expect((await gather(XML("kvm", "<cpu mode='host-passthrough'></cpu>"), record)).cpu).toEqual({ value: "incompatible" });
    expect(asked).toEqual(["<cpu mode='custom'><model>Haswell</model></cpu>", "<cpu><arch>x86_64</arch></cpu>"]);
  });

  test("tell a machine type that libvirt refuses from one that cannot be asked for", async () => {
    expect((await gather(XML("qemu", ""), (_here, there) => void there.fails("node.domainCapabilities", "LIBVIRT_FAILED", { libvirt: { code: 8, domain: 10, text: "the machine is not supported" } }))).machineRefused).toEqual({ value: "the machine is not supported" });
    expect((await gather(XML("qemu", ""), (_here, there) => void there.fails("node.domainCapabilities", "NOT_SUPPORTED"))).machineRefused).toEqual({ unknown: "Cannot node.domainCapabilities: scripted NOT_SUPPORTED" });
  });

  test("ask what the destination calls itself only where that is used, and know why it cannot be told", async () => {
    const world = given({ domains: [{ name: "one-7", uuid: UUID, xml: XML("qemu", "") }] });
    const ask = (address?: () => Promise<{ name: string; addresses: string[] }>) => gatherFacts({ name: "one-7", uuid: UUID, id: 1, state: "running", reason: 1 }, true, { source: world.hypervisor, destination: new FakeHypervisor(world.clock), files: world.files, address }, world.deadline);
    expect([(await ask()).address, (await ask(async () => ({ name: "b", addresses: [] }))).address, (await ask(() => Promise.reject(new Error("why")))).address]).toEqual([undefined, { value: { name: "b", addresses: [] } }, { unknown: "why" }]);
  });

  test("know the same machine by its host UUID", async () => {
    const capabilities = "<capabilities><host><uuid>u</uuid><cpu/></host></capabilities>";
    const same = (here: FakeHypervisor, there: FakeHypervisor) => (here.parts.capabilities = there.parts.capabilities = capabilities);
    expect([(await gather(XML("qemu", ""), same)).sameHost, (await gather(XML("qemu", ""))).sameHost]).toEqual([{ value: true }, { value: false }]);
  });

  test("name devices of the host that cannot follow, and leave out those that can", async () => {
    const devices = "<devices><hostdev mode='subsystem' type='pci'><alias name='hostdev0'/></hostdev><hostdev type='usb'/><interface type='hostdev'><mac address='02:00:00:00:00:01'/></interface><interface type='hostdev'><teaming type='transient' persistent='ua-x'/></interface><filesystem><driver type='virtiofs'/></filesystem></devices>";
    expect(await gather(XML("qemu", devices))).toMatchObject({ hostDevices: ["pci device hostdev0", "interface 02:00:00:00:00:01"], virtiofs: true });
  });
});

test("a URI of libvirt takes names and addresses, and nothing else", () => {
  expect([libvirtUri("qemu+ssh", "host-1.example"), libvirtUri("qemu+tcp", "10.0.0.2"), libvirtUri("qemu", "fd00::2")]).toEqual(["qemu+ssh://host-1.example/system", "qemu+tcp://10.0.0.2/system", "qemu://[fd00::2]/system"]);
  for (const protocol of ["", "qemu+ssh://x/", "QEMU", "qemu ssh", "test:///default?"]) expect(() => libvirtUri(protocol, "h")).toThrow("QEMU_PROTOCOL");
});
