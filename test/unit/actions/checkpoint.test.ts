import { describe, expect, test } from "bun:test";
import { run as restore } from "../../../src/actions/restore.ts";
import { run as save } from "../../../src/actions/save.ts";
import { OF_ROOT } from "../../../src/actions/virtiofsd.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import { given, type Given, type World } from "../../fakes/world.ts";
import { DIRECTORY, documentOf, PLAIN_DIRECTORY, UUID } from "./document.ts";
import { driverMessage } from "./message.ts";
import { outcomeOf } from "./outcome-of.ts";

const FILE = `${DIRECTORY}/checkpoint`;
const STORED = `${PLAIN_DIRECTORY}/checkpoint`;
const VM = { name: "one-7", uuid: UUID, xml: documentOf() };
const WHOLE = "LibvirtQemudSave and the memory";
const CEPH = driverMessage({ datastore: "<TM_MAD><![CDATA[ceph]]></TM_MAD><TEMPLATE><CEPH_USER><![CDATA[libvirt]]></CEPH_USER><POOL_NAME><![CDATA[ssd]]></POOL_NAME></TEMPLATE>" });

const runSave = (world: World, stdin = driverMessage()) => save({ arguments: { "deploy-id": UUID, "checkpoint-file": FILE, host: "h", vmid: "7", "host-again": "h" }, stdin }, world);
const runRestore = (world: World, stdin = driverMessage(), file = FILE) => restore({ arguments: { "checkpoint-file": file, host: "h", "deploy-id": UUID, vmid: "7", "host-again": "h" }, stdin }, world);

/** A world where libvirt's save also fills the file. */
function savingWorld(more: Given = {}): World {
  const world = given({ domains: [VM], ...more });
  world.hypervisor.next("images.save", async (proceed, _uuid, path) => {
    await proceed();
    world.files.put(path, WHOLE);
  });
  return world;
}

/** A world with a checkpoint of VM 7. */
function savedWorld({ xml = documentOf(), head = WHOLE, ...more }: Given & { readonly xml?: string; readonly head?: string } = {}): World {
  const world = given({ files: { [STORED]: head }, ...more });
  world.hypervisor.parts.saved.set(FILE, xml);
  return world;
}

describe("save", () => {
  test("save stops the VM and leaves its memory in the file, under the lock", async () => {
    using world = savingWorld();
    expect(await outcomeOf(runSave(world))).toEqual({ answer: "" });
    expect([world.files.texts(), await world.hypervisor.find(UUID, world.deadline), world.locks.calls]).toEqual([{ [STORED]: WHOLE }, undefined, [`lock ${UUID} for save`, `unlock ${UUID}`]]);
  });

  test("save keeps an older checkpoint under another name", async () => {
    using world = savingWorld({ files: { [STORED]: "old" } });
    const epoch = Math.floor(world.clock.nowMs() / 1000);
    await runSave(world);
    expect(world.files.texts()).toEqual({ [STORED]: WHOLE, [`${STORED}.${epoch}`]: "old" });
  });

  test("save that libvirt refuses leaves no empty file behind, and the VM as it was", async () => {
    using world = given({ domains: [VM] });
    world.hypervisor.fails("images.save", "LIBVIRT_FAILED");
    expect([await outcomeOf(runSave(world)), world.files.texts(), (await world.hypervisor.find(UUID, world.deadline))?.state]).toEqual([["LIBVIRT_FAILED", "Cannot images.save: scripted LIBVIRT_FAILED"], {}, "running"]);
  });

  test("save that fails half way removes what was written of the memory, and never a file that libvirt may still be writing", async () => {
    for (const [failure, left] of [["LIBVIRT_FAILED", {}], ["TIMED_OUT", { [STORED]: "LibvirtQemudPart and more" }]] as const) {
      using world = given({ domains: [VM] });
      world.hypervisor.next("images.save", async (_proceed, uuid, path) => {
        world.files.put(path, "LibvirtQemudPart and more");
        if (failure === "TIMED_OUT") world.hypervisor.become(uuid, "paused", 3); // VIR_DOMAIN_PAUSED_SAVE
        throw new OnevirtError(failure, "Cannot save");
      });
      expect([((await outcomeOf(runSave(world))) as string[])[0], world.files.texts()]).toEqual([failure === "TIMED_OUT" ? "OUTCOME_UNKNOWN" : failure, left]);
    }
  });

  test("save tries again while a disk is being copied, three times in all", async () => {
    using world = savingWorld();
    using busy = given({ domains: [VM], limitSeconds: null });
    busy.hypervisor.fails("images.save", "BLOCK_JOB_ACTIVE", { times: 3 });
    expect([(await outcomeOf(runSave(busy)) as string[])[0], busy.hypervisor.calls.filter((call) => call.startsWith("images.save")).length]).toEqual(["BLOCK_JOB_ACTIVE", 3]);
    await runSave(world);
  });

  test("save that outlived its limit is done only when the VM is gone and the file is whole", async () => {
    using done = given({ domains: [VM] });
    done.hypervisor.next("images.save", async (proceed, _uuid, path) => {
      await proceed();
      done.files.put(path, WHOLE);
      throw new OnevirtError("CONNECTION_LOST", "lost");
    });
    using partial = given({ domains: [VM] });
    partial.hypervisor.next("images.save", async (proceed, _uuid, path) => {
      await proceed();
      partial.files.put(path, "LibvirtQemudPart");
      throw new OnevirtError("CONNECTION_LOST", "lost");
    });
    using still = given({ domains: [VM] });
    still.hypervisor.next("images.save", async () => {
      still.hypervisor.become(UUID, "paused", 3);
      throw new OnevirtError("TIMED_OUT", "late");
    });
    expect([await outcomeOf(runSave(done)), ...(await Promise.all([partial, still].map((world) => outcomeOf(runSave(world))))).map((outcome) => (outcome as string[])[0])]).toEqual([{ answer: "" }, "OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"]);
  });

  test("save whose answer was lost while libvirt writes the memory waits for its end, and then tells the truth", async () => {
    const after = (end: (world: World) => void) => {
      const world = given({ domains: [VM], limitSeconds: null });
      world.hypervisor.next("images.save", async () => {
        world.hypervisor.become(UUID, "paused", 3); // VIR_DOMAIN_PAUSED_SAVE
        world.clock.after(60_000, () => end(world));
        throw new OnevirtError("CONNECTION_LOST", "lost");
      });
      return world;
    };
    using whole = after(({ hypervisor, files }) => (files.put(FILE, WHOLE), hypervisor.end(UUID)));
    using goesOn = after(({ hypervisor }) => hypervisor.become(UUID, "running"));
    expect([await outcomeOf(runSave(whole)), ((await outcomeOf(runSave(goesOn))) as string[])[0]]).toEqual([{ answer: "" }, "OUTCOME_UNKNOWN"]);
  });

  test("save of a VM that was paused before, whose answer was lost, waits for the end as well: its state tells nothing, libvirt's work does", async () => {
    using world = given({ domains: [{ ...VM, state: "paused", reason: 1 }], limitSeconds: null });
    world.hypervisor.next("images.save", async () => {
      world.hypervisor.parts.progress = { type: 2, fields: {} };
      world.clock.after(60_000, () => (world.files.put(FILE, WHOLE), world.hypervisor.end(UUID)));
      throw new OnevirtError("CONNECTION_LOST", "lost");
    });
    expect(await outcomeOf(runSave(world))).toEqual({ answer: "" });
  });

  test("17.1 row 9: save hands the checkpoint to Ceph, and removes the file only after the import", async () => {
    using world = savingWorld();
    const line = `rbd --id libvirt import --image-format 2 ${FILE} ssd/one-sys-7-checkpoint`;
    world.commands.on(line, () => ({ exitCode: world.files.findText(FILE) === WHOLE ? 0 : 9 }));
    expect([await outcomeOf(runSave(world, CEPH)), world.commands.calls, world.files.texts()]).toEqual([{ answer: "" }, [line], {}]);
  });

  test("17.1 row 9: save whose import fails is an error, and the file stays: it is the only copy", async () => {
    using world = savingWorld();
    world.commands.on(`rbd --id libvirt import --image-format 2 ${FILE} ssd/one-sys-7-checkpoint`, { exitCode: 2, stderr: "rbd: no space\n" });
    expect([await outcomeOf(runSave(world, CEPH)), world.files.texts()]).toEqual([["COMMAND_FAILED", "Error importing checkpoint into ssd/one-sys-7-checkpoint: rbd: no space"], { [STORED]: WHOLE }]);
  });

  test("save runs the script that a vendor put beside it, with the same words and stdin", async () => {
    const script = "/var/tmp/one/vmm/kvm/save.vendor";
    using world = savingWorld({ files: { [script]: "#!/bin/sh" } });
    const stdin = driverMessage({ datastore: "<TM_MAD>vendor</TM_MAD>" });
    const line = `${script} ${UUID} ${FILE} h 7 h`;
    world.commands.on(line, {});
    await runSave(world, stdin);
    expect([world.commands.calls, world.commands.inputs.get(line)]).toEqual([[line], stdin]);
  });

  test.each(["../../x", "a b", "$(id)", "-x", "a\nb"])("save refuses the transfer driver %j, and touches nothing", async (driver) => {
    using world = given({ domains: [VM] });
    const outcome = await outcomeOf(runSave(world, driverMessage({ datastore: `<TM_MAD><![CDATA[${driver}]]></TM_MAD>` })));
    expect([(outcome as string[])[0], world.files.texts(), world.hypervisor.calls]).toEqual(["BAD_INPUT", {}, []]);
  });

  test("save refuses a Ceph setting that would be an option of rbd", async () => {
    using world = given({ domains: [VM] });
    const stdin = driverMessage({ datastore: "<TM_MAD>ceph</TM_MAD><TEMPLATE><POOL_NAME>--config-file=/x</POOL_NAME></TEMPLATE>" });
    expect([((await outcomeOf(runSave(world, stdin))) as string[])[0], world.hypervisor.calls]).toEqual(["BAD_INPUT", []]);
  });

  test("save takes Ceph's settings from ceph.conf of the tree when the datastore names none", async () => {
    using world = savingWorld({ files: { "/var/tmp/one/etc/datastore/ceph/ceph.conf": 'POOL_NAME="cloud"\nRBD_FORMAT=1\n' } });
    const line = `rbd import ${FILE} cloud/one-sys-7-checkpoint`;
    world.commands.on(line, {});
    await runSave(world, driverMessage({ datastore: "<TM_MAD>ceph</TM_MAD>" }));
    expect(world.commands.calls).toEqual([line]);
  });
});

describe("restore", () => {
  test("restore starts the VM from its file and removes that", async () => {
    using world = savedWorld();
    expect([await outcomeOf(runRestore(world)), (await world.hypervisor.find(UUID, world.deadline))?.name, world.files.texts()]).toEqual([{ answer: "" }, "one-7", {}]);
  });

  test("17.1 row 6: restore asks for the document with its passwords", async () => {
    using world = savedWorld();
    let secure: boolean | undefined;
    world.hypervisor.next("images.xml", (proceed, _path, options) => ((secure = options.secure), proceed()));
    await runRestore(world);
    expect(secure).toBe(true);
  });

  test.each([["oned", "<![CDATA[", "]]>"], ["others", "", ""]])("restore follows a VM to another system datastore, in paths only, and in its metadata as %s write them", async (_who, before, after) => {
    const devices = "<disk type='file'><source file='/var/lib/one//datastores/100/7/disk.0'/></disk><disk type='file'><source file='/var/lib/one/datastores/100/7/disk.1'/></disk><disk type='file'><source file='/var/lib/one/datastores/100/77/disk.1'/></disk>";
    const xml = documentOf({ devices, datastore: "/var/lib/one//datastores/100/7" }).replace(/(system_datastore>)([^<]+)/, `$1${before}$2${after}`).replace("<name>", "<title>see /var/lib/one/datastores/100/7/x</title><name>");
    using world = savedWorld({ xml });
    await runRestore(world);
    const started = (await world.hypervisor.domainXml(UUID, {}, world.deadline));
    expect(started).toBe(xml.replace("//datastores/100/7/disk.0", "//datastores/0/7/disk.0").replace("datastores/100/7/disk.1", "datastores/0/7/disk.1").replace(/(system_datastore>.*)\/100\//, "$1/0/"));
    expect(started).toContain(`system_datastore>${before}/var/lib/one//datastores/0/7${after}<`);
  });

  const heads: [string, string, string][] = [
    ["an empty file", "", "it is empty"],
    ["a partial checkpoint", "LibvirtQemudPart....", "it begins with LibvirtQemudPart: libvirt was interrupted while it saved, and the memory is not complete"],
    ["a disk image", "QFI\xfb\0\0\0\x03aaaaaaaaaaaa", "it begins with 51 46 49 c3 bb 00 00 00 03 61 61 61 61 61 61 61, a checkpoint begins with LibvirtQemudSave"],
    ["text", "<?xml version='1.0'?>", "it begins with 3c 3f 78 6d 6c 20 76 65 72 73 69 6f 6e 3d 27 31 (XML), a checkpoint begins with LibvirtQemudSave"],
  ];
  test.each(heads)("restore of %s says what header it found, and keeps the file", async (_what, head, reason) => {
    using world = savedWorld({ head });
    expect([await outcomeOf(runRestore(world)), world.files.texts(), world.hypervisor.created]).toEqual([["BAD_INPUT", `"${FILE}" cannot be restored: ${reason}`], { [STORED]: head }, []]);
  });

  test("restore that libvirt refuses is tried again as VIRSH_RETRIES says, and the file stays", async () => {
    using world = savedWorld({ kvmrc: { VIRSH_RETRIES: 2 } });
    world.hypervisor.fails("images.restore", "LIBVIRT_FAILED", { times: 2 });
    expect([((await outcomeOf(runRestore(world))) as string[])[0], world.files.texts(), world.hypervisor.calls.filter((call) => call.startsWith("images.restore")).length]).toEqual(["LIBVIRT_FAILED", { [STORED]: WHOLE }, 2]);
  });

  test("restore whose answer was lost is not asked for twice", async () => {
    using world = savedWorld();
    world.hypervisor.breaks("images.restore", { done: true });
    expect([await outcomeOf(runRestore(world)), world.hypervisor.calls.filter((call) => call.startsWith("images.restore")).length, world.files.texts()]).toEqual([{ answer: "" }, 1, {}]);
  });

  test("restore of a VM that runs from this directory already is a retry", async () => {
    using world = savedWorld({ domains: [VM] });
    expect([await outcomeOf(runRestore(world)), world.hypervisor.calls.filter((call) => call.startsWith("images.restore"))]).toEqual([{ answer: "" }, []]);
  });

  test("restore beside another domain of this name touches nothing", async () => {
    using world = savedWorld({ domains: [{ ...VM, xml: documentOf({ datastore: "/elsewhere/7" }) }] });
    expect([((await outcomeOf(runRestore(world))) as string[])[0], world.files.texts()]).toEqual(["DOMAIN_EXISTS", { [STORED]: WHOLE }]);
  });

  test("restore wakes a guest that put itself to sleep", async () => {
    using world = given({ domains: [{ ...VM, state: "pmsuspended" }] });
    expect([await outcomeOf(runRestore(world)), (await world.hypervisor.find(UUID, world.deadline))?.state]).toEqual([{ answer: "" }, "running"]);
  });

  test("restore whose answer was lost while libvirt reads the memory waits for its end: done when the VM runs, and the checkpoint stays until then", async () => {
    const after = (end: (world: World) => void) => {
      const world = savedWorld({ limitSeconds: null });
      world.hypervisor.next("images.restore", async (proceed) => {
        await proceed();
        world.hypervisor.become(UUID, "paused", 11); // VIR_DOMAIN_PAUSED_STARTING_UP
        world.clock.after(60_000, () => end(world));
        throw new OnevirtError("CONNECTION_LOST", "lost");
      });
      return world;
    };
    using runs = after(({ hypervisor }) => hypervisor.become(UUID, "running"));
    using ended = after(({ hypervisor }) => hypervisor.end(UUID));
    const outcomes = [await outcomeOf(runRestore(runs)), ((await outcomeOf(runRestore(ended))) as string[])[0]];
    expect([outcomes, runs.files.texts(), ended.files.texts()]).toEqual([[{ answer: "" }, "OUTCOME_UNKNOWN"], {}, { [STORED]: WHOLE }]);
  });

  test("restore sets the clock of the guest when SYNC_TIME asks for it, and is not hindered by a guest that has no agent", async () => {
    using world = savedWorld({ kvmrc: { SYNC_TIME: true } });
    world.hypervisor.fails("guest.syncTime", "LIBVIRT_FAILED");
    expect([await outcomeOf(runRestore(world)), world.log.lines]).toEqual([{ answer: "" }, ["WARN: The clock of the guest was not set: Cannot guest.syncTime: scripted LIBVIRT_FAILED"]]);
  });

  test("restore makes the snapshots of the VM known again", async () => {
    using world = savedWorld();
    world.files.put(`${PLAIN_DIRECTORY}/snap-0.xml`, "<domainsnapshot><name>snap-0</name></domainsnapshot>");
    await runRestore(world);
    expect(world.hypervisor.redefined.length).toBe(1);
  });

  const OF_TREE = "/var/tmp/one/vmm/kvm/virtiofsd.sh";
  const shared = (path: string) => documentOf({ devices: `<filesystem type='mount'><binary path='${path}' xattr='on'/></filesystem>` });
  const scripts: [string, string, Readonly<Record<string, string>>, string][] = [["of root in the place of oneadmin's", OF_TREE, { [OF_ROOT]: "#!/bin/sh" }, OF_ROOT], ["of the tree where root has none", OF_ROOT, {}, OF_TREE]];
  test.each(scripts)("17.1 row 10: restore lets libvirt start virtiofsd through the script %s", async (_whose, saved, files, started) => {
    using world = savedWorld({ xml: shared(saved), files: { [STORED]: WHOLE, ...files } });
    expect([await outcomeOf(runRestore(world)), await world.hypervisor.domainXml(UUID, {}, world.deadline)]).toEqual([{ answer: "" }, shared(started)]);
  });

  test("17.1 row 10: restore makes snapshots known with the script of root, and keeps them so", async () => {
    const snapshot = (path: string) => `<domainsnapshot><name>snap-0</name><domain><devices><filesystem><binary path='${path}'/></filesystem></devices></domain></domainsnapshot>`;
    using world = savedWorld({ files: { [STORED]: WHOLE, [OF_ROOT]: "#!/bin/sh", [`${PLAIN_DIRECTORY}/snap-0.xml`]: snapshot(OF_TREE) } });
    await runRestore(world);
    expect([world.hypervisor.redefined.map(({ xml }) => xml), world.files.findText(`${PLAIN_DIRECTORY}/snap-0.xml`)]).toEqual([[snapshot(OF_ROOT)], snapshot(OF_ROOT)]);
  });

  const exportLine = `rbd --id libvirt export ssd/one-sys-7-checkpoint ${FILE}.export`;

  test("17.1 row 9: restore takes a file that is there, because it is newer than the image in Ceph", async () => {
    using world = savedWorld();
    expect([await outcomeOf(runRestore(world, CEPH)), world.commands.calls]).toEqual([{ answer: "" }, []]);
  });

  test("17.1 row 9: restore gets the checkpoint out of Ceph, and removes the image only when the VM runs", async () => {
    using world = given();
    world.hypervisor.parts.saved.set(FILE, documentOf());
    let ranBefore: string | undefined;
    world.commands.on(exportLine, () => (world.files.put(`${FILE}.export`, WHOLE), {}));
    world.commands.on("rbd --id libvirt rm ssd/one-sys-7-checkpoint", () => ((ranBefore = world.hypervisor.calls.findLast((call) => call.startsWith("images.restore"))), {}));
    expect([await outcomeOf(runRestore(world, CEPH)), world.commands.calls.length, ranBefore !== undefined, world.files.texts()]).toEqual([{ answer: "" }, 2, true, {}]);
  });

  test("17.1 row 9: restore whose export fails is an error", async () => {
    using world = given();
    world.commands.on(exportLine, { exitCode: 1, stderr: "rbd: error opening image\n" });
    expect(await outcomeOf(runRestore(world, CEPH))).toEqual(["COMMAND_FAILED", `Error exporting checkpoint from ssd/one-sys-7-checkpoint to ${FILE}: rbd: error opening image`]);
  });
});
