import { describe, expect, test } from "bun:test";
import { run as resize } from "../../../src/actions/resize.ts";
import { run as resizeDisk } from "../../../src/actions/resize-disk.ts";
import { refusal } from "../../fakes/domain.ts";
import { given, type World } from "../../fakes/world.ts";
import { documentOf, UUID } from "./document.ts";
import { attached, disk, go, running, template } from "./hot-vm.ts";

const module = (mib: number, alias: string) => `<memory model='dimm'><target><size unit='KiB'>${mib * 1024}</size><node>0</node></target><alias name='${alias}'/></memory>`;
const message = ({ memory = "1024", vcpu = "2", oldMemory = "1024", oldVcpu = "2", mode = "HOTPLUG" } = {}) =>
  template(`<MEMORY>${memory}</MEMORY><VCPU>${vcpu}</VCPU><MEMORY_RESIZE_MODE>${mode}</MEMORY_RESIZE_MODE><RESIZE><MEMORY>${oldMemory}</MEMORY><VCPU>${oldVcpu}</VCPU></RESIZE>`);
const changes = (world: World) => world.hypervisor.calls.filter((call) => call.startsWith("devices."));

describe("resize in steps of modules", () => {
  test("resize takes the newest module of the size back, and knows it from another of the same size by its alias", async () => {
    using world = running({ devices: module(512, "dimm0") + module(512, "dimm1") });
    expect([await go(resize, world, {}, message({ memory: "512" })), await attached(world)]).toEqual([{ answer: "" }, module(512, "dimm0")]);
  });

  test.each([["refused", "the guest does not give the memory module of 512 MiB back"], ["silent", "the guest did not give the memory module of 512 MiB back within 60 s; it may still do so"]] as const)("resize of a module that the guest keeps (%s) is an error, and the processors stay", async (removal, text) => {
    using world = running({ devices: module(512, "dimm0") });
    world.hypervisor.parts.removal = removal;
    expect([await go(resize, world, {}, message({ memory: "512", vcpu: "1" })), changes(world).filter((call) => call.includes("setVcpus"))]).toEqual([["NOT_DONE", text], []]);
  });

  test.each([["", "no modules"], [module(256, "dimm0"), "modules of 256 MiB"], [module(512, "dimm0").replace("dimm", "nvdimm"), "no modules"]])("resize without a module of the size says which there are", async (devices, has) => {
    using world = running({ devices });
    expect([await go(resize, world, {}, message({ memory: "512" })), changes(world)]).toEqual([["INVALID_STATE", `"one-7" has no memory module of 512 MiB to give back, it has ${has}`], []]);
  });

  test("resize whose answer was lost is done when the domain has a module more", async () => {
    using world = running({ devices: module(512, "dimm0") });
    world.hypervisor.breaks("devices.attach", { done: true });
    expect(await go(resize, world, {}, message({ memory: "1536" }))).toEqual({ answer: "" });
  });

  test("resize takes the module back when the processors are refused", async () => {
    using world = running();
    world.hypervisor.next("devices.attach", (_proceed, uuid, _xml, deadline) => world.hypervisor.parts.devices.attach(uuid, module(512, "dimm0"), deadline)).fails("devices.setVcpus", "LIBVIRT_FAILED");
    expect([((await go(resize, world, {}, message({ memory: "1536", vcpu: "4" }))) as string[])[0], await attached(world), changes(world).length]).toEqual(["LIBVIRT_FAILED", "", 3]);
  });

  test("resize whose module cannot be taken back says so, and reports the first failure", async () => {
    using world = running();
    world.hypervisor.fails("devices.setVcpus", "LIBVIRT_FAILED");
    world.hypervisor.next("devices.attach", (_proceed, uuid, _xml, deadline) => {
      world.hypervisor.parts.removal = "refused";
      return world.hypervisor.parts.devices.attach(uuid, module(512, "dimm0"), deadline);
    });
    expect([await go(resize, world, {}, message({ memory: "1536", vcpu: "4" })), world.log.lines]).toEqual([
      ["LIBVIRT_FAILED", "Failed to resize VCPU to 4 on one-7: Cannot devices.setVcpus: scripted LIBVIRT_FAILED"], ["ERROR: The memory stays as it was set: the guest does not give the memory module of 512 MiB back"],
    ]);
  });
});

describe("resize of what the message tells whole", () => {
  test("resize asks for the domain's document only when an old value is missing, or modules are to be found", async () => {
    const reads = async (text: string) => {
      using world = running();
      await go(resize, world, {}, text);
      return world.hypervisor.calls.filter((call) => call.startsWith("domainXml")).length;
    };
    const whole = message({ memory: "2048", mode: "" });
    expect([await reads(whole), await reads(whole.replace("<RESIZE><MEMORY>1024</MEMORY>", "<RESIZE>")), await reads(message({ memory: "1536" }))]).toEqual([0, 1, 1]);
  });
});

describe("resize of processors", () => {
  const vcpus = (count: number) => `<vcpu current='${count}'>4</vcpu>`;
  const less = message({ vcpu: "1" });

  test("resize waits for a guest that gives processors back late", async () => {
    using world = running({ vcpu: vcpus(2) });
    world.hypervisor.next("devices.setVcpus", () => {
      world.clock.after(3000, () => world.hypervisor.next("domainXml", async () => documentOf().replace("<os>", `${vcpus(1)}<os>`)));
      return Promise.reject(refusal("BUSY", "timed out"));
    });
    expect(await go(resize, world, {}, less)).toEqual({ answer: "" });
  });

  test("resize says so when the guest keeps them, and puts the memory back although no time is left", async () => {
    using world = running({ vcpu: vcpus(2) });
    world.hypervisor.fails("devices.setVcpus", "BUSY");
    expect([await go(resize, world, {}, message({ memory: "512", vcpu: "1", mode: "" })), world.hypervisor.parts.memory.get(UUID)]).toEqual([
      ["NOT_DONE", "Failed to resize VCPU to 1 on one-7: the guest was not seen to give processors back within 60 s; it may still do so"], 1048576,
    ]);
  });

  test("resize to more processors does not blame the guest when libvirt is busy", async () => {
    using world = running({ vcpu: vcpus(2) });
    world.hypervisor.fails("devices.setVcpus", "BUSY");
    expect([((await go(resize, world, {}, message({ vcpu: "4" }))) as string[])[0], world.clock.sleeps]).toEqual(["BUSY", []]);
  });

  test("resize whose answer does not come is done when the domain has the processors", async () => {
    using world = running({ vcpu: vcpus(2) });
    world.hypervisor.hangs("devices.setVcpus").next("domainXml", (proceed) => proceed()).next("domainXml", async () => documentOf().replace("<os>", `${vcpus(1)}<os>`));
    expect(await go(resize, world, {}, less)).toEqual({ answer: "" });
  });
});

describe("resize_disk", () => {
  const MIB = 1024 * 1024;
  const grow = (world: World) => go(resizeDisk, world, { "disk-id": "2", size: "100" }, disk({ TARGET: "vdc", DISK_ID: "2" }));
  const withCapacity = (capacity: bigint | undefined) =>
    given({ domains: [{ name: "one-7", uuid: UUID, xml: documentOf(), fields: { "block.count": 2, "block.0.name": "vda", "block.0.capacity": 1n, "block.1.name": "vdc", ...(capacity === undefined ? {} : { "block.1.capacity": capacity }) } }] });

  test.each([
    ["done when the guest sees the size", BigInt(100 * MIB), { answer: "" }],
    ["of unknown outcome when it sees another", BigInt(4 * MIB), ["OUTCOME_UNKNOWN", expect.stringContaining("now the disk has 4194304 bytes")]],
    ["of unknown outcome when QEMU does not say", undefined, ["OUTCOME_UNKNOWN", expect.stringContaining("not known")]],
  ] as const)("resize_disk whose answer does not come is %s", async (_what, capacity, expected) => {
    using world = withCapacity(capacity);
    world.hypervisor.hangs("devices.resizeDisk");
    expect(await grow(world)).toEqual(expected);
  });

  test("resize_disk is tried three times, 5 s apart, while the image is in use", async () => {
    using twice = running();
    using always = running();
    const inUse = () => Promise.reject(new Error("block node is in use"));
    for (const world of [twice, twice, always, always, always]) world.hypervisor.next("devices.resizeDisk", inUse);
    expect([await grow(twice), twice.clock.sleeps, String(await grow(always)), always.clock.sleeps]).toEqual([{ answer: "" }, [5000, 5000], "Error: block node is in use", [5000, 5000]]);
  });
});
