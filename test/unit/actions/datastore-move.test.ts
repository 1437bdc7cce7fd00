import { describe, expect, test } from "bun:test";
import { run } from "../../../src/actions/migrate.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import { given, type World } from "../../fakes/world.ts";
import { documentOf, UUID } from "./document.ts";
import { outcomeOf } from "./outcome-of.ts";

const FROM = "/ds/0/7";
const TO = "/ds/100/7";
const NAMESPACE = "http://opennebula.org/xmlns/libvirt/1.0";
const disk = (target: string, path: string, more = "") => `<disk type='file' device='disk'><driver type='qcow2'/><source file='${path}'/><target dev='${target}'/>${more}</disk>`;
const OTHERS = "<disk type='network' device='disk'><source protocol='rbd' name='one/x'/><target dev='vdy'/></disk><disk type='file' device='cdrom'><target dev='hdz'/><readonly/></disk>";
const ARGUMENTS = { "deploy-id": UUID, "destination-host": "hosta", "source-host": "hosta", vmid: "7", "source-host-again": "hosta" };
const stdin = `<VMM_DRIVER_ACTION_DATA><DISK_TARGET_PATH>${TO}</DISK_TARGET_PATH><VM><ID>7</ID></VM><DATASTORE><BASE_PATH>/ds/0</BASE_PATH></DATASTORE></VMM_DRIVER_ACTION_DATA>`;
const move = (world: World) => outcomeOf(run({ arguments: ARGUMENTS, stdin }, world));
const INFO = JSON.stringify({ "virtual-size": 1048576 });
const info = (path: string) => `qemu-img info --force-share --output=json ${path}`;

/** A VM with two disks of its own; a pivot changes the document, as libvirt does. */
function world(devices = disk("vda", `${FROM}/disk.0`) + disk("vdb", `${FROM}/disk.1`) + OTHERS, os = ""): World {
  const given_ = given({ domains: [{ name: "one-7", uuid: UUID, xml: documentOf({ devices, os, datastore: FROM }), metadata: { [NAMESPACE]: `<vm>\n  <system_datastore><![CDATA[${FROM}]]></system_datastore>\n  <name><![CDATA[a&b]]></name></vm>` } }], files: { [`${FROM}/vm.xml`]: "<VM/>" } });
  const { parts } = given_.hypervisor;
  const targets = new Map<string, string>();
  const [copyDisk, endDisk] = [given_.hypervisor.jobs.copyDisk, given_.hypervisor.jobs.endDisk];
  Object.assign(given_.hypervisor.jobs, {
    copyDisk: async (...args: Parameters<typeof copyDisk>) => (targets.set(args[1], /file='([^']+)'/.exec(args[2])?.[1] ?? ""), copyDisk(...args)),
    endDisk: async (...args: Parameters<typeof endDisk>) => {
      await endDisk(...args);
      if (args[2].pivot) await parts.devices.update(UUID, disk(args[1], targets.get(args[1]) ?? ""), {}, given_.deadline);
    },
  });
  given_.commands.on(`rsync -a -- ${FROM}/vm.xml ${TO}/`, {});
  for (const number of [0, 1]) {
    for (const directory of [FROM, TO]) given_.commands.on(info(`${directory}/disk.${number}`), { stdout: INFO });
    given_.commands.on(`qemu-img create -q -f qcow2 ${TO}/disk.${number} 1048576`, () => (given_.files.writeAtomic(`${TO}/disk.${number}`, "image", 0o644), {}));
  }
  return given_;
}

const images = async (each: World) => [...(await each.hypervisor.domainXml(UUID, {}, each.deadline)).matchAll(/source file='([^']+)'/g)].map(([, file]) => file);

describe("change of datastore", () => {
  test("17.1 row 15: copies each disk, uses the copies, and changes the metadata of the running domain", async () => {
    using here = world();
    expect([await move(here), await images(here), await here.hypervisor.metadata(UUID, NAMESPACE, here.deadline)]).toEqual([{ answer: "" }, [`${TO}/disk.0`, `${TO}/disk.1`], `<vm><system_datastore>${TO}</system_datastore><name>a&amp;b</name></vm>`]);
    expect([here.hypervisor.parts.migrations, [...here.hypervisor.parts.blockJobs], here.locks.calls.length]).toEqual([[], [], 2]);
  });

  test("again, when all has moved, copies nothing", async () => {
    using here = world(disk("vda", `${TO}/disk.0`) + OTHERS);
    expect([await move(here), here.hypervisor.calls.filter((call) => call.startsWith("jobs."))]).toEqual([{ answer: "" }, []]);
  });

  test("after an action that was killed: ends its copy, and goes on with the disks that are left", async () => {
    using here = world(disk("vda", `${TO}/disk.0`) + disk("vdb", `${FROM}/disk.1`));
    here.hypervisor.parts.blockJobs.set("vdb", { type: 2, current: 1n, end: 2n });
    expect([await move(here), await images(here), here.hypervisor.calls.filter((call) => call.startsWith("jobs.endDisk")).length]).toEqual([{ answer: "" }, [`${TO}/disk.0`, `${TO}/disk.1`], 2]);
  });

  test("17.1 row 7: a failure takes back what had moved, disk by disk, and removes only what the VM certainly does not use", async () => {
    using here = world();
    here.hypervisor.next("jobs.copyDisk", (proceed) => proceed()).fails("jobs.copyDisk", "LIBVIRT_FAILED");
    expect([await move(here), await images(here), here.files.kind(`${TO}/disk.0`), here.files.kind(`${TO}/disk.1`)]).toEqual([["NOT_DONE", `the disks of "one-7" stay in ${FROM}: Cannot jobs.copyDisk: scripted LIBVIRT_FAILED`], [`${FROM}/disk.0`, `${FROM}/disk.1`], undefined, undefined]);
    expect(await here.hypervisor.metadata(UUID, NAMESPACE, here.deadline)).toContain(FROM);
  });

  test("17.1 row 7: what cannot be taken back is named, and both directories stay", async () => {
    using here = world();
    here.hypervisor.next("jobs.copyDisk", (proceed) => proceed()).fails("jobs.copyDisk", "LIBVIRT_FAILED", { times: 2 });
    const [code, text] = (await move(here)) as [string, string];
    expect([code, text, await images(here), here.files.kind(`${TO}/disk.0`)]).toEqual(["NOT_DONE", expect.stringContaining(`disk vda is in use at ${TO}/disk.0 and could not be taken back`), [`${TO}/disk.0`, `${FROM}/disk.1`], "file"]);
    expect(text).toEndWith("remove neither directory");
  });

  test("an image whose use cannot be told is never removed", async () => {
    using here = world(disk("vda", `${FROM}/disk.0`));
    here.hypervisor.next("jobs.endDisk", async () => {
      here.hypervisor.fails("domainXml", "LIBVIRT_UNREACHABLE", { times: 20 });
      throw new OnevirtError("CONNECTION_LOST", "Cannot end the copy: connection lost");
    });
    const [code] = (await move(here)) as [string];
    here.hypervisor.forget();
    expect([code, here.files.kind(`${TO}/disk.0`)]).toEqual(["NOT_DONE", "file"]);
  });

  test("a backing file inside the directory moves along, another stays", async () => {
    using here = world(disk("vda", `${FROM}/disk.0`));
    here.commands.on(info(`${FROM}/disk.0`), { stdout: JSON.stringify({ "virtual-size": 1048576, "full-backing-filename": "/ds/1/base", "backing-filename-format": "qcow2" }) });
    here.commands.on(`qemu-img create -q -f qcow2 -b /ds/1/base -F qcow2 ${TO}/disk.0 1048576`, {});
    let options: unknown;
    here.hypervisor.next("jobs.copyDisk", (proceed, ...args) => ((options = args[3]), proceed()));
    expect([await move(here), options]).toEqual([{ answer: "" }, { reuseExternal: true, shallow: true }]);
  });

  test("17.1 row 15: a failure to note the new directory says that the disks have moved, and the same action again notes it", async () => {
    using here = world();
    here.hypervisor.fails("setMetadata", "LIBVIRT_FAILED");
    const error = await run({ arguments: ARGUMENTS, stdin }, here).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "NOT_DONE", message: `the disks of "one-7" have moved and are used in ${TO}, but its metadata may still name ${FROM}: Cannot setMetadata: scripted LIBVIRT_FAILED; remove neither directory`, hint: expect.stringContaining("the same migration again notes the new directory") });
    expect(await images(here)).toEqual([`${TO}/disk.0`, `${TO}/disk.1`]);
    expect([await move(here), await here.hypervisor.metadata(UUID, NAMESPACE, here.deadline)]).toEqual([{ answer: "" }, expect.stringContaining(TO)]);
  });

  test("a lost answer to the new metadata is looked at again", async () => {
    using here = world();
    here.hypervisor.breaks("setMetadata", { done: true });
    expect(await move(here)).toEqual({ answer: "" });
    using lost = world();
    lost.hypervisor.breaks("setMetadata", { done: false });
    expect(await move(lost)).toEqual(["OUTCOME_UNKNOWN", expect.stringMatching(/^the disks of "one-7" have moved and are used in .*its metadata names another directory; remove neither directory$/)]);
  });

  test("a pivot whose outcome is not known is told with the disk's name: it may use either image", async () => {
    using here = world(disk("vda", `${FROM}/disk.0`));
    here.hypervisor.next("jobs.endDisk", async (proceed) => {
      here.hypervisor.fails("domainXml", "LIBVIRT_UNREACHABLE", { times: 20 });
      await proceed();
      throw new OnevirtError("CONNECTION_LOST", "Cannot end the copy: connection lost");
    });
    const [code, text] = (await move(here)) as [string, string];
    here.hypervisor.forget();
    expect([code, text]).toEqual(["NOT_DONE", expect.stringMatching(/^not all disks of "one-7" are in \/ds\/0\/7 again: .*; disk vda uses an image that cannot be told now: remove neither directory$/)]);
  });

  test("a copy that an action left when it was killed is ended before its image is made anew, for it holds the lock of that image", async () => {
    using here = world(disk("vda", `${FROM}/disk.0`));
    here.hypervisor.parts.blockJobs.set("vda", { type: 2, current: 1n, end: 2n });
    here.commands.on(`qemu-img create -q -f qcow2 ${TO}/disk.0 1048576`, () => (here.hypervisor.parts.blockJobs.has("vda") ? { exitCode: 1, stderr: 'Failed to get "write" lock' } : {}));
    expect(await move(here)).toEqual({ answer: "" });
  });

  test("again, after a failure: what is left of disk snapshots in the old directory never replaces what the guest uses in the new one", async () => {
    using here = world(disk("vda", `${TO}/disk.0.snap/1`) + disk("vdb", `${FROM}/disk.1.snap/0`));
    for (const path of [`${FROM}/disk.0.snap/1`, `${FROM}/disk.1.snap/0`, `${TO}/disk.0.snap/1`]) here.files.put(path, "image");
    here.commands.on(`rsync -a -- ${FROM}/vm.xml ${FROM}/disk.1.snap ${TO}/`, {});
    here.commands.on(info(`${FROM}/disk.1.snap/0`), { stdout: INFO });
    here.commands.on(`qemu-img create -q -f qcow2 ${TO}/disk.1.snap/0 1048576`, {});
    expect([await move(here), await images(here)]).toEqual([{ answer: "" }, [`${TO}/disk.0.snap/1`, `${TO}/disk.1.snap/0`]]);
  });

  test("refuses block devices and system snapshots before anything is done", async () => {
    using here = world(disk("vda", `${FROM}/disk.0`) + "<disk type='block' device='disk'><source dev='/dev/vg-one-0/lv'/><target dev='vdb'/></disk>");
    here.hypervisor.parts.known.set("snap-0", "<domainsnapshot/>");
    const [code, text] = (await move(here)) as [string, string];
    expect([code, text.includes("block device /dev/vg-one-0/lv"), text.includes("snap-0"), here.commands.calls]).toEqual(["NOT_SUPPORTED", true, true, []]);
  });

  test("the same host and the same directory is no migration", async () => {
    using here = world();
    const [code, text] = (await outcomeOf(run({ arguments: ARGUMENTS, stdin: stdin.replace(TO, `/ds//0/7`) }, here))) as [string, string];
    expect([code, text]).toEqual(["NOT_SUPPORTED", 'nothing was done: "hosta" is the host that the VM runs on']);
  });
});

describe("change of datastore of a UEFI VM", () => {
  const VARS = `${FROM}/one-7_VARS.fd`;
  const COPY = `rsync -a --checksum --out-format=%n -- ${VARS} ${TO}/`;
  const uefi = (os = `<nvram>${VARS}</nvram>`) => world(disk("vda", `${FROM}/disk.0`), os);
  /** Each copy finds the file changed so often, as a guest that writes it makes it. */
  const copies = (here: World, times: number) => {
    let left = times;
    here.commands.on(COPY, () => (here.files.put(`${TO}/one-7_VARS.fd`, "variables"), left-- > 0 ? { stdout: "one-7_VARS.fd\n" } : {}));
  };
  const order = (here: World) => here.commands.calls.map((call) => call.split(" ")[0]).join(" ");

  test("its variables are copied before a disk moves and after, until they are the same at two looks; what that means is told", async () => {
    using here = uefi();
    copies(here, 2);
    expect([await move(here), order(here)]).toEqual([{ answer: "" }, "rsync rsync rsync rsync qemu-img qemu-img rsync"]);
    expect(here.log.lines).toEqual([`WARN: "one-7": its UEFI variables are copied as they are now; QEMU goes on with ${VARS} until the VM is started again, and what the guest changes in them until then is not in the copy`]);
  });

  test("variables that cannot be copied, or are written all the time, are found before a disk moves", async () => {
    using full = uefi();
    full.commands.on(COPY, { exitCode: 11, stderr: "rsync: write failed: No space left on device (28)" });
    expect([await move(full), await images(full)]).toEqual([["COMMAND_FAILED", `Cannot copy the UEFI variables "${VARS}": rsync: write failed: No space left on device (28)`], [`${FROM}/disk.0`]]);
    using busy = uefi();
    copies(busy, 99);
    expect([await move(busy), await images(busy)]).toEqual([["BUSY", `Cannot copy the UEFI variables "${VARS}": the guest writes them all the time`], [`${FROM}/disk.0`]]);
  });

  test("when a disk fails, no old copy of the variables is left for a later start", async () => {
    using here = uefi();
    copies(here, 1);
    here.hypervisor.fails("jobs.copyDisk", "LIBVIRT_FAILED");
    expect([((await move(here)) as string[])[0], here.files.kind(`${TO}/one-7_VARS.fd`), await images(here)]).toEqual(["NOT_DONE", undefined, [`${FROM}/disk.0`]]);
  });

  test("variables as a qcow2 image are a reason to refuse; those that do not lie in the directory stay", async () => {
    using here = uefi(`<nvram format='qcow2'>${VARS}</nvram>`);
    expect([await move(here), here.commands.calls]).toEqual([["NOT_SUPPORTED", expect.stringContaining(`its UEFI variables ${VARS} are a qcow2 image`)], []]);
    using elsewhere = uefi("<nvram>/var/lib/libvirt/qemu/nvram/one-7_VARS.fd</nvram>");
    expect([await move(elsewhere), elsewhere.log.lines]).toEqual([{ answer: "" }, []]);
    using newer = uefi(`<nvram type='file'><source file='${VARS}'/></nvram>`);
    copies(newer, 0);
    expect([await move(newer), newer.log.lines.length]).toEqual([{ answer: "" }, 1]);
  });
});
