import { describe, expect, test } from "bun:test";
import { run as create } from "../../../src/actions/snapshot-create.ts";
import { run as remove } from "../../../src/actions/snapshot-delete.ts";
import { run as revert } from "../../../src/actions/snapshot-revert.ts";
import { OF_ROOT } from "../../../src/actions/virtiofsd.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import { given, type Given, type World } from "../../fakes/world.ts";
import { documentOf, PLAIN_DIRECTORY, UUID } from "./document.ts";
import { outcomeOf } from "./outcome-of.ts";

const VM = { name: "one-7", uuid: UUID, xml: documentOf() };
const file = (name: string) => `${PLAIN_DIRECTORY}/${name}.xml`;
const kept = (name: string) => `<domainsnapshot><name>${name}</name></domainsnapshot>`;

const runCreate = (world: World, id = "0") => create({ arguments: { "deploy-id": UUID, "snapshot-id": id }, stdin: "" }, world);
const runDelete = (world: World, snapshot = "snap-0") => remove({ arguments: { "deploy-id": UUID, snapshot }, stdin: "" }, world);
const runRevert = (world: World, snapshot = "snap-0") => revert({ arguments: { "deploy-id": UUID, snapshot }, stdin: "" }, world);

/** A VM with these snapshots, in libvirt and beside its disks. */
function snapped(names: readonly string[], more: Given = {}): World {
  const world = given({ domains: [VM], files: Object.fromEntries(names.map((name) => [file(name), kept(name)])), ...more });
  for (const name of names) world.hypervisor.parts.known.set(name, kept(name));
  return world;
}

describe("snapshot_create", () => {
  test("snapshot_create answers with the name, and keeps the document for oneadmin alone", async () => {
    using world = given({ domains: [VM] });
    expect([await outcomeOf(runCreate(world, "3")), world.files.texts(), world.files.modeOf(file("snap-3")), world.locks.calls.length]).toEqual([{ answer: "snap-3" }, { [file("snap-3")]: kept("snap-3") }, 0o600, 2]);
  });

  test("17.1 row 6: snapshot_create keeps the document with its passwords", async () => {
    using world = given({ domains: [VM] });
    let secure: boolean | undefined;
    world.hypervisor.next("snapshots.xml", (proceed, _uuid, _name, options) => ((secure = options.secure), proceed()));
    await runCreate(world);
    expect(secure).toBe(true);
  });

  test("snapshot_create of a name that is there is an error", async () => {
    using world = snapped(["snap-0"]);
    expect(await outcomeOf(runCreate(world))).toEqual(["INVALID_STATE", '"one-7" has a snapshot snap-0 already']);
  });

  test.each(["", "x", "0;id", "../1", "-1", "<a/>", "1234567890"])("snapshot_create refuses the number %j", async (id) => {
    using world = given({ domains: [VM] });
    expect([((await outcomeOf(runCreate(world, id))) as string[])[0], world.hypervisor.calls]).toEqual(["BAD_ARGUMENT", []]);
  });

  test("snapshot_create succeeds when the document cannot be kept, and says what that means", async () => {
    using world = given({ domains: [VM] });
    world.files.freeze(PLAIN_DIRECTORY);
    expect([await outcomeOf(runCreate(world)), world.log.lines.length, world.log.lines[0]]).toEqual([{ answer: "snap-0" }, 1, expect.stringMatching(/^ERROR: Snapshot snap-0 stands, but libvirt will not know it after the VM was off: /)]);
  });

  test("snapshot_create whose answer was lost is done when libvirt knows the snapshot", async () => {
    using world = given({ domains: [VM] });
    world.hypervisor.breaks("snapshots.create", { done: true });
    using lost = given({ domains: [VM] });
    lost.hypervisor.breaks("snapshots.create", { done: false });
    expect([await outcomeOf(runCreate(world)), ((await outcomeOf(runCreate(lost))) as string[])[0]]).toEqual([{ answer: "snap-0" }, "OUTCOME_UNKNOWN"]);
  });

  test("snapshot_create was called done while it was still being taken: libvirt names a snapshot from the beginning", async () => {
    using world = given({ domains: [VM] });
    world.hypervisor.breaks("snapshots.create", { done: true });
    world.hypervisor.parts.progress = { type: 2, fields: {} };
    expect(await outcomeOf(runCreate(world))).toEqual(["OUTCOME_UNKNOWN", expect.stringContaining("now it is still being taken")]);
  });

  test("snapshot_create whose answer was lost waits for the end of libvirt's work, and for a QEMU that does not answer", async () => {
    using world = given({ domains: [VM] });
    world.hypervisor.breaks("snapshots.create", { done: true });
    world.hypervisor.next("jobs.progress", async () => ({ type: 2, fields: {} }));
    world.hypervisor.fails("jobs.progress", "BUSY");
    expect(await outcomeOf(runCreate(world))).toEqual({ answer: "snap-0" });
  });

  test("snapshot_create works on a domain that is not OpenNebula's", async () => {
    using world = given({ domains: [{ name: "wild", uuid: UUID }] });
    expect([await outcomeOf(runCreate(world)), world.files.texts()]).toEqual([{ answer: "snap-0" }, {}]);
  });
});

describe("snapshot_delete", () => {
  test("snapshot_delete removes the snapshot, then its file, and writes the others again", async () => {
    using world = snapped(["snap-0", "snap-1"]);
    world.hypervisor.parts.known.set("snap-1", "<domainsnapshot><name>snap-1</name><parent/></domainsnapshot>");
    expect([await outcomeOf(runDelete(world)), world.files.texts()]).toEqual([{ answer: "" }, { [file("snap-1")]: "<domainsnapshot><name>snap-1</name><parent/></domainsnapshot>" }]);
  });

  test("snapshot_delete that libvirt refuses keeps the file", async () => {
    using world = snapped(["snap-0"]);
    world.hypervisor.fails("snapshots.delete", "LIBVIRT_FAILED");
    expect([((await outcomeOf(runDelete(world))) as string[])[0], Object.keys(world.files.texts())]).toEqual(["LIBVIRT_FAILED", [file("snap-0")]]);
  });

  test("snapshot_delete whose answer was lost waits for the end of libvirt's work before it says what it did", async () => {
    using world = snapped(["snap-0"]);
    world.hypervisor.breaks("snapshots.delete", { done: false });
    world.hypervisor.next("jobs.progress", async () => (world.hypervisor.parts.known.delete("snap-0"), { type: 2, fields: {} }));
    using idle = snapped(["snap-0"]);
    idle.hypervisor.breaks("snapshots.delete", { done: false });
    using endless = snapped(["snap-0"]);
    endless.hypervisor.breaks("snapshots.delete", { done: false });
    endless.hypervisor.parts.progress = { type: 2, fields: {} };
    const codes = [idle, endless].map(async (each) => ((await outcomeOf(runDelete(each))) as string[])[0]);
    expect([await outcomeOf(runDelete(world)), ...(await Promise.all(codes))]).toEqual([{ answer: "" }, "NOT_DONE", "OUTCOME_UNKNOWN"]);
  });

  test("snapshot_delete of what is neither known nor kept is a retry; of what is only kept, an error", async () => {
    using world = given({ domains: [VM] });
    using half = given({ domains: [VM], files: { [file("snap-0")]: kept("snap-0") } });
    expect([await outcomeOf(runDelete(world)), ((await outcomeOf(runDelete(half))) as string[])[0]]).toEqual([{ answer: "" }, "SNAPSHOT_NOT_FOUND"]);
  });

  test.each(["7", "snap-", "snap-0/../x", "one-7", ""])("snapshot_delete refuses the name %j: an empty argument makes the next one move up", async (name) => {
    using world = snapped(["snap-0"]);
    expect([((await outcomeOf(runDelete(world, name))) as string[])[0], world.hypervisor.calls]).toEqual(["BAD_ARGUMENT", []]);
  });
});

describe("snapshot_revert", () => {
  test("snapshot_revert goes back, by force only where libvirt finds it risky", async () => {
    const forced: boolean[] = [];
    const noting = (world: World) => world.hypervisor.next("snapshots.revert", (proceed, _uuid, _name, { force = false }) => (forced.push(force), proceed()));
    using plain = snapped(["snap-0"]);
    noting(plain);
    using risky = snapped(["snap-0"]);
    risky.hypervisor.fails("snapshots.revert", "LIBVIRT_FAILED", { libvirt: { code: 77, domain: 10, text: "revert requires force" } });
    noting(risky);
    expect([await outcomeOf(runRevert(plain)), await outcomeOf(runRevert(risky)), risky.hypervisor.parts.currentSnapshot, forced]).toEqual([{ answer: "" }, { answer: "" }, "snap-0", [false, true]]);
  });

  test("snapshot_revert waits for a copy of a disk to end", async () => {
    using world = snapped(["snap-0"]);
    world.hypervisor.fails("snapshots.revert", "BLOCK_JOB_ACTIVE", { times: 2 });
    expect(await outcomeOf(runRevert(world))).toEqual({ answer: "" });
  });

  const shared = (path: string) => `<domainsnapshot><name>snap-0</name><domain><devices><filesystem type='mount'><binary path='${path}' xattr='on'/></filesystem></devices></domain><inactiveDomain><devices><filesystem type='mount'><binary path='${path}'/></filesystem></devices></inactiveDomain></domainsnapshot>`;
  test.each([["where root has its own", { [OF_ROOT]: "#!/bin/sh" }, [{ uuid: UUID, xml: shared(OF_ROOT) }]], ["and without it changes nothing", {}, []]])("17.1 row 10: snapshot_revert lets libvirt start virtiofsd through the script of root, %s", async (_where, files, redefined) => {
    using world = snapped(["snap-0"], { files });
    world.hypervisor.parts.known.set("snap-0", shared("/var/tmp/one/vmm/kvm/virtiofsd.sh"));
    world.hypervisor.parts.currentSnapshot = "snap-0";
    let atRevert: number | undefined;
    world.hypervisor.next("snapshots.revert", (proceed) => ((atRevert = world.hypervisor.redefined.length), proceed()));
    expect([await outcomeOf(runRevert(world)), world.hypervisor.redefined, atRevert, world.hypervisor.parts.currentSnapshot]).toEqual([{ answer: "" }, redefined, redefined.length, "snap-0"]);
  });

  test("snapshot_revert whose answer was lost is done when the VM lives on in another process, at its snapshot, as soon as libvirt has ended its work", async () => {
    using done = snapped(["snap-0"]);
    done.hypervisor.breaks("snapshots.revert", { done: true });
    using later = snapped(["snap-0"]);
    later.hypervisor.next("snapshots.revert", async (proceed) => {
      await proceed();
      later.hypervisor.become(UUID, "paused", 11); // VIR_DOMAIN_PAUSED_STARTING_UP
      later.clock.after(20_000, () => later.hypervisor.become(UUID, "running"));
      throw new OnevirtError("CONNECTION_LOST", "lost");
    });
    using between = snapped(["snap-0"]);
    between.hypervisor.next("snapshots.revert", async (proceed) => {
      await proceed();
      between.hypervisor.end(UUID);
      between.clock.after(1000, () => (between.hypervisor.put(VM), between.hypervisor.restart(UUID)));
      throw new OnevirtError("CONNECTION_LOST", "lost");
    });
    expect(await Promise.all([done, later, between].map((world) => outcomeOf(runRevert(world))))).toEqual([{ answer: "" }, { answer: "" }, { answer: "" }]);
  });

  test("snapshot_revert is not done while libvirt still works on the VM, however it looks", async () => {
    using world = snapped(["snap-0"]);
    world.hypervisor.next("snapshots.revert", async (proceed) => {
      await proceed();
      world.hypervisor.become(UUID, "paused", 1); // its processors are not started yet
      world.hypervisor.parts.progress = { type: 1, fields: {} };
      throw new OnevirtError("CONNECTION_LOST", "lost");
    });
    expect(await outcomeOf(runRevert(world))).toEqual(["OUTCOME_UNKNOWN", expect.stringContaining("now libvirt is still at work on it")]);
  });

  test("snapshot_revert whose answer was lost is unknown while the VM is as it was, is gone, or is at another snapshot", async () => {
    const after = (change: (world: World) => void) => {
      const world = snapped(["snap-0"]);
      world.hypervisor.next("snapshots.revert", async () => {
        change(world);
        throw new OnevirtError("CONNECTION_LOST", "lost");
      });
      return world;
    };
    using same = after(() => undefined);
    using gone = after(({ hypervisor }) => hypervisor.end(UUID));
    using elsewhere = after(({ hypervisor }) => ((hypervisor.parts.currentSnapshot = "snap-9"), hypervisor.restart(UUID)));
    const outcomes = (await Promise.all([same, gone, elsewhere].map((world) => outcomeOf(runRevert(world))))) as [string, string][];
    expect(outcomes.map(([code, message]) => [code, message.replace(/^.*; now /, "")])).toEqual([
      ["OUTCOME_UNKNOWN", "libvirt reports it running, by the same process as before"],
      ["OUTCOME_UNKNOWN", "libvirt has no such domain, and no process has its UUID"],
      ["OUTCOME_UNKNOWN", "libvirt reports it running, at the snapshot snap-9"],
    ]);
  });

  test("snapshot_revert to what is not there is an error", async () => {
    using world = given({ domains: [VM] });
    expect(await outcomeOf(runRevert(world))).toEqual(["SNAPSHOT_NOT_FOUND", 'Cannot find snapshot "snap-0"']);
  });
});
