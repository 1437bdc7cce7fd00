import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import type { Result } from "../support/executable-tree.ts";
import { Guest, on, REMOTE, rootOn, settingsOn, syncedTree, until, userMessage, withDrive } from "../support/lab.ts";
import { driverMessage } from "../unit/actions/message.ts";

const MINUTE = 60_000;
const kvmrc = (timeout: number) => `VIRSH_TIMEOUT=${timeout}\nDEFAULT_ATTACH_CACHE=none\nDEFAULT_ATTACH_NIC_MODEL=virtio\n`;
let tree = "";
let guest: Guest;

beforeAll(async () => {
  tree = await syncedTree(["hosta"], { kvmrc: kvmrc(30) });
  // Two sockets that may come, memory that may come, an I/O thread, and a drive without a medium.
  guest = (await Guest.make(211, "--memory", "256", "--max-memory", "1024", "--vcpus", "1", "--max-vcpus", "2")).with(withDrive).with((xml) => xml.replace("<os>", "<iothreads>2</iothreads><os>"));
  await guest.deploy("hosta");
  await guest.ready("hosta");
}, 2 * MINUTE);
afterAll(async () => {
  await guest.remove("hosta");
  rmSync(tree, { recursive: true, force: true });
  await settingsOn(["hosta"]);
});

const elements = (values: Readonly<Record<string, string>>) => Object.entries(values).map(([name, value]) => `<${name}><![CDATA[${value}]]></${name}>`).join("");
const template = (inner: string) => driverMessage({ vm: `<TEMPLATE>${inner}</TEMPLATE>` });
const disk = (values: Readonly<Record<string, string>>) => template(`<DISK>${elements({ ATTACH: "YES", DISK_ID: "3", ...values })}</DISK>`);
const attachDisk = (path: string, target: string, values: Readonly<Record<string, string>> = {}) =>
  guest.call("hosta", "attach_disk", [guest.uuid, path, target, "1", Buffer.from(disk(values)).toString("base64"), "211", "hosta"], disk(values));
const detachDisk = (path: string, target: string) => guest.call("hosta", "detach_disk", [guest.uuid, path, target, "1", "211", "hosta"], driverMessage());
const document = async () => (await on("hosta", `virsh -c qemu:///system dumpxml ${guest.uuid}`)).stdout;
const prereconfigure = (target = "sdz") => guest.call("hosta", "prereconfigure", [guest.uuid, target, "211", "hosta"], driverMessage());
const reconfigure = (image: string, target = "sdz") => guest.call("hosta", "reconfigure", [guest.uuid, target, `${guest.directory}/${image}`, "211", "hosta"], driverMessage());
const DONE = { exitCode: 0, stdout: "", stderr: "" };

/** The one line for the user of a call that has failed; anything else is told instead. */
async function clearError(call: () => Promise<Result>): Promise<string> {
  const result = await call();
  const says = userMessage(result);
  return result.exitCode === 1 && result.stdout === "" && says !== "" && !says.includes("\n") ? says : `no clear error: ${JSON.stringify(result)}`;
}

describe("disks of a running guest", () => {
  const file = (name: string) => `${guest.directory}/${name}`;
  const blockDevices = async () => (await guest.inside("hosta", "ls /sys/class/block")).split("\n");

  const kinds: [string, string, string, Readonly<Record<string, string>>][] = [
    ["a raw file", "qemu-img create -q -f raw FILE 4M", "vdb", { TYPE: "FILE", DRIVER: "raw" }],
    ["a qcow2 file", "qemu-img create -q -f qcow2 FILE 4M", "vdb", { TYPE: "FILE", DRIVER: "qcow2", CACHE: "writeback", SERIAL: "one 1" }],
    ["a SCSI disk", "qemu-img create -q -f raw FILE 4M", "sdc", { TYPE: "FILE", DRIVER: "raw" }],
  ];
  test.each(kinds)("%s comes and goes, and the guest sees both", async (_what, create, target, values) => {
    const path = file(`disk.hot-${target}`);
    await on("hosta", `rm -f ${path}; ${create.replace("FILE", path)}`);
    const before = await blockDevices();
    expect(await attachDisk(path, target, values)).toEqual(DONE);
    await until("the guest sees it", async () => (await blockDevices()).length > before.length, 20);
    const again = await attachDisk(path, target, values);
    expect({ code: again.exitCode, stderr: again.stderr }).toEqual({ code: 1, stderr: expect.stringContaining(`Could not attach ${path} (${target}) to ${guest.uuid}: `) });
    expect(await detachDisk(path, target)).toEqual(DONE);
    expect((await document()).includes(`dev='${target}'`)).toBe(false);
    await until("the guest sees that it has gone", async () => String(await blockDevices()) === String(before), 20);
    expect((await detachDisk(path, target)).exitCode).toBe(0); // as after a lost answer
  }, MINUTE);

  test("a block device, through a loop device", async () => {
    const { stdout } = await rootOn("hosta", `truncate -s 4M ${file("loop.img")} && dev=$(losetup -f --show ${file("loop.img")}) && chown oneadmin $dev && ln -sfn $dev ${file("disk.8")} && echo $dev`);
    const device = stdout.trim();
    if (!device.startsWith("/dev/loop")) throw new Error(`no loop device: ${stdout}`);
    try {
      expect(await attachDisk(file("disk.8"), "vdd", { TYPE: "BLOCK", DRIVER: "raw" })).toEqual(DONE);
      expect(await document()).toMatch(/type='block'[^>]*>[\s\S]*dev='[^']*disk\.8'/);
      expect(await detachDisk(file("disk.8"), "vdd")).toEqual(DONE);
      expect(await reconfigure("disk.8")).toEqual(DONE); // a context image of LVM
      expect(await document()).toMatch(/type='block' device='cdrom'>[\s\S]*dev='[^']*disk\.8'/);
      expect(await prereconfigure()).toEqual(DONE);
    } finally {
      await rootOn("hosta", `losetup -d ${device}`);
    }
  }, MINUTE);

  test("a CD-ROM, and no second one in its place: libvirt would change the medium", async () => {
    const before = await blockDevices();
    await on("hosta", `truncate -s 1M ${file("disk.5")} ${file("disk.6")}`);
    expect(await attachDisk(file("disk.5"), "sdd", { TYPE: "CDROM" })).toEqual(DONE);
    await until("the guest sees it", async () => (await blockDevices()).includes("sr1"), 20);
    expect(await attachDisk(file("disk.6"), "sdd", { TYPE: "CDROM" })).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`"${guest.name}" has disk sdd already`) });
    expect({ old: (await document()).includes("disk.5"), other: (await document()).includes("disk.6") }).toEqual({ old: true, other: false });
    expect(await detachDisk(file("disk.5"), "sdd")).toEqual(DONE);
    await until("the guest sees that it has gone", async () => String(await blockDevices()) === String(before), 20);
  }, MINUTE);

  test("17.1 rows 3 and 4: a shell command in a value reaches libvirt as text, and nobody runs it", async () => {
    const path = file("disk.7");
    await on("hosta", `qemu-img create -q -f raw ${path} 4M`);
    for (const value of ["$(touch MARK)none", "`touch MARK`", "none'/><hostdev/><x a='"]) {
      const { exitCode, stderr } = await attachDisk(path, "vdb", { TYPE: "FILE", CACHE: value.replace("MARK", file("mark")) });
      expect({ value, exitCode, stderr }).toEqual({ value, exitCode: 1, stderr: expect.stringContaining("Could not attach") });
    }
    expect({ ran: (await on("hosta", `ls ${file("mark")}`)).exitCode === 0, inDocument: (await document()).includes("dev='vdb'") }).toEqual({ ran: false, inDocument: false });
  }, MINUTE);

  test("a disk that is not there, that its bus cannot take, or that no message describes is one clear error, and nothing is half attached", async () => {
    const before = await document();
    const failures: [() => Promise<Result>, RegExp][] = [
      [() => attachDisk(file("missing"), "vdb", { TYPE: "FILE" }), /No such file/],
      [() => attachDisk(file("disk.0"), "hdc", { TYPE: "FILE" }), /ide/i],
      [() => attachDisk(file("disk.0"), "vdb", { TYPE: "FILE", DRIVER: "nosuch" }), /nosuch/],
      [() => guest.call("hosta", "attach_disk", [guest.uuid, file("disk.0"), "vdb", "1", "bm8=", "211", "hosta"], "<VMM_DRIVER_ACTION_DATA><VM>"), /driver message/],
      [() => guest.call("hosta", "attach_disk", [guest.uuid, file("disk.0"), "vdb", "1", "", "211", "hosta"], driverMessage()), /no disk with ATTACH=YES/],
    ];
    for (const [call, reason] of failures) expect(await clearError(call)).toMatch(reason);
    expect(await document()).toBe(before);
  }, MINUTE);

  test("resize_disk is seen inside the guest", async () => {
    const path = file("disk.grow");
    await on("hosta", `rm -f ${path}; qemu-img create -q -f qcow2 ${path} 4M`);
    await attachDisk(path, "vdb", { TYPE: "FILE", DRIVER: "qcow2" });
    const message = template(`<DISK>${elements({ DISK_ID: "3", TARGET: "vdb" })}</DISK>`);
    expect(await guest.call("hosta", "resize_disk", [guest.uuid, "3", "12", "", "hosta", "211", "hosta"], message)).toEqual(DONE);
    expect(await guest.call("hosta", "resize_disk", [guest.uuid, "3", "12", "", "hosta", "211", "hosta"], message)).toEqual(DONE); // as after a lost answer
    for (const [id, target, reason] of [["4", "vdb", /no disk 4/], ["3", "vdx", /vdx/]] as const)
      expect(await clearError(() => guest.call("hosta", "resize_disk", [guest.uuid, id, "16", "", "hosta", "211", "hosta"], template(`<DISK>${elements({ DISK_ID: "3", TARGET: target })}</DISK>`)))).toMatch(reason);
    await until("the guest sees 12 MiB", async () => (await guest.inside("hosta", "cat /sys/class/block/vdb/size")).trim() === String(12 * 2048), 20);
    expect(await detachDisk(path, "vdb")).toEqual(DONE);
  }, MINUTE);

  test("resize_disk waits while something else works on the image, and says so", async () => {
    const path = file("disk.busy");
    const job = (words: string) => on("hosta", `virsh -c qemu:///system ${words}`);
    await on("hosta", `rm -f ${path}; qemu-img create -q -f raw ${path} 16M && head -c 16M /dev/urandom | dd of=${path} conv=notrunc status=none; qemu-img create -q -f raw ${path}.copy 16M`);
    expect(await attachDisk(path, "vdb", { TYPE: "FILE", DRIVER: "raw" })).toEqual(DONE);
    expect((await job(`blockcopy ${guest.uuid} vdb ${path}.copy --transient-job --bandwidth 1 --reuse-external --format raw`)).exitCode).toBe(0);
    const resizing = on("hosta", `ONEVIRT_TRACE=${path}.trace ${REMOTE}/resize_disk ${guest.uuid} 3 20 '' hosta 211 hosta`, template(`<DISK>${elements({ DISK_ID: "3", TARGET: "vdb" })}</DISK>`));
    await until("libvirt has refused", async () => (await on("hosta", `grep -c ' virDomainBlockResize' ${path}.trace`)).stdout.trim() >= "1", 20);
    await job(`blockjob ${guest.uuid} vdb --abort`);
    expect(await resizing).toEqual({ ...DONE, stderr: expect.stringMatching(/^(INFO: resize_disk: The disk is in use \([^\n]*is in use[^\n]*\), trying again in 5 s\n)+$/) });
    await until("the guest sees 20 MiB", async () => (await guest.inside("hosta", "cat /sys/class/block/vdb/size")).trim() === String(20 * 2048), 20);
    expect(await detachDisk(path, "vdb")).toEqual(DONE);
  }, MINUTE);
});

describe("the context drive of a running guest", () => {
  test("prereconfigure ejects, reconfigure inserts, and the guest reads the new content", async () => {
    for (const word of ["old", "new"]) await on("hosta", `truncate -s 512K ${guest.directory}/${word}.img && printf ${word} | dd of=${guest.directory}/${word}.img conv=notrunc status=none`);
    const read = () => guest.inside("hosta", "echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/sr0 bs=3 count=1 2>/dev/null");
    expect(await prereconfigure()).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("CDROM already ejected") });
    expect(await reconfigure("old.img")).toEqual(DONE);
    expect(await read()).toBe("old");
    expect((await reconfigure("new.img")).exitCode).toBe(1); // the drive is full
    expect(await prereconfigure()).toEqual(DONE);
    expect(await reconfigure("new.img")).toEqual(DONE);
    expect(await read()).toBe("new");

    expect(await prereconfigure()).toEqual(DONE);
    expect(await clearError(() => reconfigure("missing.img"))).toContain("No such file");
    for (const call of [() => prereconfigure("sdy"), () => reconfigure("new.img", "sdy")]) expect(await clearError(call)).toContain('"one-211" has no drive sdy');
    expect(await prereconfigure()).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("CDROM already ejected") });
    expect(await reconfigure("new.img")).toEqual(DONE);
  }, MINUTE);

  test("prereconfigure opens a tray that the guest has locked", async () => {
    await guest.inside("hosta", "sleep 1000 < /dev/sr0 > /dev/null 2>&1 & echo $! > /tmp/reader");
    expect(await prereconfigure()).toEqual(DONE);
    expect((await on("hosta", `virsh -c qemu:///system domblklist ${guest.uuid}`)).stdout).toMatch(/sdz\s+-/);
    await guest.inside("hosta", "kill $(cat /tmp/reader)");
  }, MINUTE);
});

describe("NICs of a running guest", () => {
  const MAC = "02:00:0a:00:02:11";
  const bridge = async () => /<source bridge='([^']+)'/.exec(guest.xml)?.[1] ?? "";
  const message = async () => template(`<NIC>${elements({ ATTACH: "YES", MAC, BRIDGE: await bridge(), BRIDGE_TYPE: "linux", TARGET: "one-211-1" })}</NIC>`);
  const interfaces = async () => (await guest.inside("hosta", "cat /sys/class/net/*/address")).split("\n");

  test("a NIC comes and goes, and the guest sees both", async () => {
    const stdin = await message();
    expect(await guest.call("hosta", "attach_nic", [guest.uuid, MAC, await bridge(), "-", "dummy", "one-211-1", "211", "hosta"], stdin)).toEqual(DONE);
    await until("the guest sees it", async () => (await interfaces()).includes(MAC), 20);
    expect((await guest.call("hosta", "attach_nic", [guest.uuid, MAC, await bridge(), "-", "dummy", "one-211-1", "211", "hosta"], stdin)).stderr).toContain("already");
    expect(await guest.call("hosta", "detach_nic", [guest.uuid, MAC, "211", "hosta"], stdin)).toEqual(DONE);
    expect({ inGuest: (await interfaces()).includes(MAC), inDocument: (await document()).includes(MAC) }).toEqual({ inGuest: false, inDocument: false });
    expect((await guest.call("hosta", "detach_nic", [guest.uuid, MAC, "211", "hosta"], stdin)).exitCode).toBe(0);
  }, MINUTE);
});

describe("NICs and devices that this host does not have", () => {
  const nic = (values: Readonly<Record<string, string>>) => template(`<NIC>${elements({ ATTACH: "YES", MAC: "02:00:0a:00:02:13", ...values })}</NIC>`);
  const pci = (values: Readonly<Record<string, string>>) => template(`<PCI>${elements({ ATTACH: "YES", ...values })}</PCI>`);
  const failures: [string, string, RegExp][] = [
    ["a bridge", nic({ BRIDGE: "nosuchbr0", BRIDGE_TYPE: "linux" }), /nosuchbr0/],
    ["a model", nic({ BRIDGE: "onebr0", BRIDGE_TYPE: "linux", MODEL: "nosuch" }), /nosuch/],
    ["a PCI device", pci({ DOMAIN: "0000", BUS: "fe", SLOT: "1f", FUNCTION: "7" }), /Could not attach NIC to .*(passthrough|fe:1f\.7)/],
    ["a mediated device", pci({ DOMAIN: "0000", BUS: "fe", SLOT: "1f", FUNCTION: "7", UUID: "11111111-2222-4333-8444-555555555555" }), /Could not attach NIC to .*(VFIO|11111111-2222-4333-8444-555555555555)/],
    ["any at all", driverMessage(), /no NIC and no PCI device with ATTACH=YES/],
  ];

  test("are one clear error each, nothing is half attached, and taking back what was not attached succeeds", async () => {
    const before = await document();
    for (const [what, stdin, reason] of failures) expect([what, await clearError(() => guest.call("hosta", "attach_nic", [guest.uuid, "02:00:0a:00:02:13", "b", "-", "dummy", "t", "211", "hosta"], stdin))]).toEqual([what, expect.stringMatching(reason)]);
    for (const [what, stdin] of failures) expect([what, await guest.call("hosta", "detach_nic", [guest.uuid, "02:00:0a:00:02:13", "211", "hosta"], stdin)]).toEqual([what, { ...DONE, stderr: expect.stringContaining("nothing to detach") }]);
    expect(await document()).toBe(before);
  }, MINUTE);
});

describe("NICs without a bridge", () => {
  test("an interface of type ethernet comes and goes, which upstream cannot take back", async () => {
    const [mac, words] = ["02:00:0a:00:02:12", ["", "-", "dummy", "one-211-2"]];
    const stdin = template(`<NIC>${elements({ ATTACH: "YES", MAC: mac, TARGET: "one-211-2" })}</NIC>`);
    expect(await guest.call("hosta", "attach_nic", [guest.uuid, mac, ...words, "211", "hosta"], stdin)).toEqual(DONE);
    expect(await document()).toMatch(/<interface type='ethernet'>\s*<mac address='02:00:0a:00:02:12'/);
    expect(await guest.call("hosta", "detach_nic", [guest.uuid, mac, "211", "hosta"], stdin)).toEqual(DONE);
    expect((await document()).includes(mac)).toBe(false);
  }, MINUTE);
});

const sizes = (memory: number, vcpu: number, oldMemory: number, oldVcpu: number, mode = "") =>
  template(`<MEMORY>${memory}</MEMORY><VCPU>${vcpu}</VCPU><MEMORY_RESIZE_MODE>${mode}</MEMORY_RESIZE_MODE><RESIZE><MEMORY>${oldMemory}</MEMORY><VCPU>${oldVcpu}</VCPU></RESIZE>`);

describe("memory and processors of a running guest", () => {
  const resize = (memory: number, vcpu: number, oldMemory: number, oldVcpu: number, mode = "") =>
    guest.call("hosta", "resize", [guest.uuid, "211", "hosta"], sizes(memory, vcpu, oldMemory, oldVcpu, mode));
  const processors = async () => Number((await guest.inside("hosta", "ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l")).trim());
  const totalKiB = async () => Number(/MemTotal:\s+(\d+)/.exec(await guest.inside("hosta", "cat /proc/meminfo"))?.[1]);

  test("the balloon takes memory and gives it back", async () => {
    const before = await totalKiB();
    expect(await resize(192, 1, 256, 1)).toEqual(DONE);
    await until("the guest has less", async () => (await totalKiB()) < before - 40_000, 20);
    expect(await resize(256, 1, 192, 1)).toEqual(DONE);
    await until("the guest has it again", async () => (await totalKiB()) > before - 10_000, 20);
  }, MINUTE);

  test("more than the maximum is one clear error, and nothing changes: memory that was taken goes back", async () => {
    const before = await totalKiB();
    expect(await clearError(() => resize(4096, 1, 256, 1))).toContain("cannot set memory higher than max memory");
    expect(await clearError(() => resize(192, 3, 256, 1))).toMatch(/Failed to resize VCPU to 3 on one-211: .*(maximum|vcpus)/);
    await until("the guest has all of it", async () => (await totalKiB()) > before - 10_000, 20);
  }, MINUTE);

  test("a processor comes; where the processor is not emulated, it also goes", async () => {
    expect(await resize(256, 2, 256, 1)).toEqual(DONE);
    await until("the guest sees two", async () => (await processors()) === 2, 20);
    // A QEMU that emulates processors (7.2) never reports that one went, and damages its own memory when it takes it: it ends soon after.
    if (/<domain type='qemu'/.test(await document())) return;
    expect({ less: await resize(256, 1, 256, 2), processors: await processors() }).toEqual({ less: DONE, processors: 1 });
  }, MINUTE);

  test("a module of memory comes and goes, in the same steps only", async () => {
    const modules = async () => (await document()).match(/<memory model='dimm'/g)?.length ?? 0;
    expect(await resize(384, 1, 256, 1, "HOTPLUG")).toEqual(DONE);
    expect(await document()).toMatch(/<memory model='dimm'>[\s\S]*131072/);
    expect(await resize(192, 1, 384, 1, "HOTPLUG")).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("no memory module of 192 MiB to give back, it has modules of 128 MiB") });
    expect({ back: await resize(256, 1, 384, 1, "HOTPLUG"), modules: await modules() }).toEqual({ back: DONE, modules: 0 });
  }, MINUTE);

  test("a module that the guest refuses to give back is one clear error, at once, and it stays", async () => {
    expect(await resize(384, 1, 256, 1, "HOTPLUG")).toEqual(DONE);
    await until("the guest has it", async () => (await guest.inside("hosta", "grep -l offline /sys/devices/system/memory/memory*/state")) !== "", 20);
    await guest.inside("hosta", "for state in $(grep -l offline /sys/devices/system/memory/memory*/state); do echo online_kernel > $state; done; ls -R /sys /proc > /dev/null 2>&1"); // the kernel now keeps there what cannot be moved
    const begin = performance.now();
    expect(await clearError(() => resize(256, 1, 384, 1, "HOTPLUG"))).toContain("the guest does not give the memory module of 128 MiB back");
    expect({ modules: (await document()).match(/<memory model='dimm'/g)?.length, waited: performance.now() - begin > 25_000 }).toEqual({ modules: 1, waited: false });
  }, MINUTE);
});

describe("a guest that does not cooperate", () => {
  let deaf: Guest;
  beforeAll(async () => {
    deaf = (await Guest.make(212, "--vcpus", "1", "--max-vcpus", "2")).with((xml) => xml.replace(/<kernel>[\s\S]*?<\/cmdline>/, "").replace(/<channel[\s\S]*?<\/channel>/, ""));
    await deaf.deploy("hosta");
    await settingsOn(["hosta"], { kvmrc: kvmrc(2) }); // it never answers
  }, MINUTE);
  afterAll(() => deaf.remove("hosta"));

  test("detach_disk waits as VIRSH_TIMEOUT says, tells the truth, and the disk stays", async () => {
    await on("hosta", `qemu-img create -q -f raw ${deaf.directory}/disk.1 4M`);
    expect((await deaf.call("hosta", "attach_disk", [deaf.uuid, `${deaf.directory}/disk.1`, "vdb", "1", "", "212", "hosta"], disk({ TYPE: "FILE" }))).exitCode).toBe(0);
    for (const _again of [1, 2]) {
      const { exitCode, stderr } = await deaf.call("hosta", "detach_disk", [deaf.uuid, `${deaf.directory}/disk.1`, "vdb", "1", "212", "hosta"], driverMessage());
      const listed = (await on("hosta", `virsh -c qemu:///system domblklist ${deaf.uuid}`)).stdout.includes("vdb");
      expect({ exitCode, stderr, listed }).toEqual({ exitCode: 1, stderr: expect.stringContaining("the guest did not give disk vdb back within 2 s; it may still do so"), listed: true });
    }
  }, MINUTE);

  test("detach_disk of a VM that ends while it is waited for succeeds: nobody has the disk any more", async () => {
    const other = (await Guest.make(213)).with((xml) => xml.replace(/<kernel>[\s\S]*?<\/cmdline>/, ""));
    await settingsOn(["hosta"], { kvmrc: kvmrc(30) });
    try {
      await other.deploy("hosta");
      await on("hosta", `qemu-img create -q -f raw ${other.directory}/disk.1 4M`);
      expect((await other.call("hosta", "attach_disk", [other.uuid, `${other.directory}/disk.1`, "vdb", "1", "", "213", "hosta"], disk({ TYPE: "FILE" }))).exitCode).toBe(0);
      const detaching = on("hosta", `ONEVIRT_TRACE=${other.directory}/trace ${REMOTE}/detach_disk ${other.uuid} ${other.directory}/disk.1 vdb 1 213 hosta`, driverMessage());
      await until("it waits for the guest", async () => (await on("hosta", `grep -c ' virEventRunDefaultImpl' ${other.directory}/trace`)).stdout.trim() >= "1", 20);
      await on("hosta", `virsh -c qemu:///system destroy ${other.uuid}`);
      const begin = performance.now();
      expect(await detaching).toEqual(DONE);
      expect(performance.now() - begin).toBeLessThan(25_000); // not at the end of VIRSH_TIMEOUT
    } finally {
      await settingsOn(["hosta"], { kvmrc: kvmrc(2) });
      await other.remove("hosta");
    }
  }, MINUTE);

  test("resize to fewer processors that fails is one clear error, and the domain keeps them", async () => {
    expect(await deaf.call("hosta", "resize", [deaf.uuid, "212", "hosta"], sizes(128, 2, 128, 1))).toEqual(DONE);
    const { exitCode, stderr } = await deaf.call("hosta", "resize", [deaf.uuid, "212", "hosta"], sizes(96, 1, 128, 2));
    const count = (await on("hosta", `virsh -c qemu:///system vcpucount ${deaf.uuid} --live`)).stdout.trim();
    expect({ exitCode, stderr, count }).toEqual({ exitCode: 1, stderr: expect.stringContaining("Failed to resize VCPU to 1 on one-212: "), count: "2" });
  }, MINUTE);

  test("a module without a slot, and a command without an agent, is one clear error each", async () => {
    expect(await clearError(() => deaf.call("hosta", "resize", [deaf.uuid, "212", "hosta"], sizes(256, 2, 192, 2, "HOTPLUG")))).toMatch(/Could not resize .*(maxMemory|memory|slots)/);
    expect(await clearError(() => deaf.call("hosta", "exec", ["212", "hosta", "date"]))).toContain("QEMU guest agent is not configured");
  }, MINUTE);
});
