import { describe, expect, test } from "bun:test";
import { run } from "../../../src/actions/migrate.ts";
import { run as runLocal } from "../../../src/actions/migrate-local.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import { Journal, type JournalEntry } from "../../../src/migration/journal.ts";
import { FakeHypervisor } from "../../fakes/hypervisor.ts";
import { given, type Given, type World } from "../../fakes/world.ts";
import { namesItself } from "../migration/named-host.ts";
import { documentOf, UUID } from "./document.ts";
import { outcomeOf } from "./outcome-of.ts";

const URI = "qemu+ssh://hostb/system";
const VM = { name: "one-7", uuid: UUID, xml: documentOf() };
const STATE = "/var/tmp/one_db/onevirt";
const PAUSED_BY_MIGRATION = 2;
const SNAPSHOT = "<domainsnapshot><name>snap-0</name></domainsnapshot>";
const CHILD = "<domainsnapshot><name>snap-1</name><parent><name>snap-0</name></parent></domainsnapshot>";

const message = (template = "") => `<VMM_DRIVER_ACTION_DATA><DISK_TARGET_PATH>/var/lib/one//datastores/0/7</DISK_TARGET_PATH><VM><ID>7</ID><TEMPLATE>${template}</TEMPLATE></VM><DATASTORE><BASE_PATH>/var/lib/one//datastores/0</BASE_PATH><TEMPLATE><SHARED><![CDATA[yes]]></SHARED></TEMPLATE></DATASTORE></VMM_DRIVER_ACTION_DATA>`;
const ARGUMENTS = { "deploy-id": UUID, "destination-host": "hostb", "source-host": "hosta", vmid: "7", "source-host-again": "hosta" };
const migrate = (world: World, template = "", args: Record<string, string> = ARGUMENTS) => run({ arguments: args, stdin: message(template) }, world);

/** Two hosts: the VM runs here, and migrates as it should. */
function twoHosts(more: Given = {}): World & { readonly there: FakeHypervisor } {
  const world = given({ domains: [VM], ...more });
  const there = new FakeHypervisor(world.clock, [], URI);
  world.others.set(URI, there);
  namesItself(world, there);
  world.hypervisor.parts.onMigrate = () => {
    world.hypervisor.end(UUID);
    there.put(VM);
  };
  there.parts.onMigrate = (...words) => world.hypervisor.parts.onMigrate(...words);
  return Object.assign(world, { there });
}

function snapshots(world: World): void {
  world.hypervisor.parts.known.set("snap-1", CHILD).set("snap-0", SNAPSHOT);
  world.hypervisor.parts.currentSnapshot = "snap-1";
}

const journalOf = (world: World) => new Journal(world.files, STATE).find(UUID);
const CHANGING = /^(destroy|undefine|create|snapshots\.delete|migration\.migrate)/;
const changes = (hypervisor: FakeHypervisor) => hypervisor.calls.filter((call) => CHANGING.test(call));
const removals = (world: World & { there: FakeHypervisor }) => [...world.hypervisor.calls, ...world.there.calls].filter((call) => /^(destroy|undefine)/.test(call));
const state = async (hypervisor: FakeHypervisor, world: World) => (await hypervisor.find(UUID, world.deadline))?.state ?? "none";
const code = async (work: Promise<unknown>) => ((await outcomeOf(work)) as string[])[0];
const text = async (work: Promise<unknown>) => ((await outcomeOf(work)) as string[])[1];

describe("migrate", () => {
  test("moves the VM with one call of libvirt, live and client-managed, and leaves nothing behind", async () => {
    using world = twoHosts({ kvmrc: { MIGRATE_OPTIONS: ["--unsafe"] } });
    expect(await outcomeOf(migrate(world))).toEqual({ answer: "" });
    expect(world.there.parts.migrations).toEqual([{ uuid: UUID, other: world.hypervisor.uri, flags: 1 | 512, parameters: {} }]);
    expect([await state(world.hypervisor, world), await state(world.there, world), removals(world), journalOf(world), world.commands.calls.length]).toEqual(["none", "running", [], undefined, 1]); // what its name is here
    expect(world.locks.calls).toEqual([`lock ${UUID} for migrate`, `unlock ${UUID}`]);
  });

  test("uses the protocol of kvmrc, peer-to-peer when asked, the options of the VM, and the address of MIGRATE_URI", async () => {
    using world = twoHosts({ kvmrc: { QEMU_PROTOCOL: "qemu+tcp", MIGRATE_OPTIONS: ["--p2p"] }, onevirt: { MIGRATE_URI: "tcp://%h.mig" } });
    world.others.set("qemu+tcp://hostb/system", world.there);
    await migrate(world, "<FEATURES><MIGRATE_AUTO_CONVERGE>20,10</MIGRATE_AUTO_CONVERGE><MIGRATE_COMPRESSED>YES</MIGRATE_COMPRESSED></FEATURES>");
    expect(world.hypervisor.parts.migrations).toEqual([{ uuid: UUID, other: "qemu+tcp://hostb/system", flags: 1 | 2 | 2048 | 8192, parameters: { "auto_converge.initial": 20, "auto_converge.increment": 10, migrate_uri: "tcp://hostb.mig" } }]);
    expect([changes(world.hypervisor), world.commands.calls]).toEqual([[`migration.migrateToUri ${UUID} qemu+tcp://hostb/system 10243`], []]);
  });

  test("finds the VM by name when the deploy id is empty, and takes storage as shared without a document (before 6.0)", async () => {
    using world = twoHosts();
    expect(await outcomeOf(run({ arguments: { ...ARGUMENTS, "deploy-id": "" }, stdin: "" }, world))).toEqual({ answer: "" });
  });

  test("tries again while a disk is being copied, as often as VIRSH_TRIES says", async () => {
    using world = twoHosts({ kvmrc: { VIRSH_TRIES: 2 } });
    world.there.fails("migration.migrateFrom", "BLOCK_JOB_ACTIVE");
    expect(await outcomeOf(migrate(world))).toEqual({ answer: "" });
    using never = twoHosts({ kvmrc: { VIRSH_TRIES: 2 } });
    never.there.fails("migration.migrateFrom", "BLOCK_JOB_ACTIVE", { times: 2 });
    expect(await code(migrate(never))).toBe("BLOCK_JOB_ACTIVE");
  });

  test("sets the clock of the guest on the destination, and compacts the memory of the source", async () => {
    using world = twoHosts({ kvmrc: { SYNC_TIME: true, CLEANUP_MEMORY_ON_STOP: true } });
    await migrate(world);
    expect([world.there.calls.filter((call) => call.startsWith("guest.")), world.root.calls]).toEqual([[`guest.syncTime ${UUID}`], ["compactMemory"]]);
  });

  test("makes the destination know the snapshots, parents first, and the current one as current", async () => {
    using world = twoHosts();
    snapshots(world);
    await migrate(world);
    expect([world.there.redefined.map(({ xml }) => xml), world.there.parts.currentSnapshot, [...world.hypervisor.parts.known]]).toEqual([[SNAPSHOT, CHILD], "snap-1", []]);
  });

  test("resumes a guest that arrived paused, and leaves one paused that was", async () => {
    using world = twoHosts();
    world.hypervisor.parts.onMigrate = () => (world.hypervisor.end(UUID), void world.there.put({ ...VM, state: "paused", reason: PAUSED_BY_MIGRATION }));
    await migrate(world);
    expect(await state(world.there, world)).toBe("running");
    using asleep = twoHosts({ domains: [{ ...VM, state: "paused", reason: 1 }] });
    asleep.hypervisor.parts.onMigrate = () => (asleep.hypervisor.end(UUID), void asleep.there.put({ ...VM, state: "paused", reason: 1 }));
    await migrate(asleep);
    expect(await state(asleep.there, asleep)).toBe("paused");
  });

  test("17.1 row 8: a failed resume on the destination is told", async () => {
    using world = twoHosts();
    world.hypervisor.parts.onMigrate = () => (world.hypervisor.end(UUID), void world.there.put({ ...VM, state: "paused", reason: PAUSED_BY_MIGRATION }));
    world.there.fails("resume", "LIBVIRT_FAILED");
    expect(await outcomeOf(migrate(world))).toEqual({ answer: "" });
    expect(world.log.lines).toEqual(['ERROR: "one-7" is on hostb, but paused: it was not resumed: Cannot resume: scripted LIBVIRT_FAILED']);
  });

  test("17.1 row 3: no value of the request reaches a shell, a URI or a path", async () => {
    for (const host of ["hostb;id", "-oProxyCommand=x", "host b", "", "a/b", "b?x=1", "$(id)", "host\nb"]) {
      using world = twoHosts();
      expect([host, await code(migrate(world, "", { ...ARGUMENTS, "destination-host": host })), world.hypervisor.calls, world.commands.calls]).toEqual([host, "BAD_ARGUMENT", [], []]);
    }
  });
});

describe("migrate when something fails", () => {
  test("a destination that does not answer is found before anything is done", async () => {
    using world = twoHosts();
    world.others.delete(URI);
    expect([await code(migrate(world)), changes(world.hypervisor), journalOf(world)]).toEqual(["LIBVIRT_UNREACHABLE", [], undefined]);
  });

  test("a destination whose own name is not known here, or leads back here, is found before anything is done, unless MIGRATE_URI names an address", async () => {
    for (const addresses of [[], ["127.0.1.1"], ["::1"]]) {
      using world = twoHosts();
      namesItself(world, world.there, "hostb", addresses);
      expect([await outcomeOf(migrate(world)), changes(world.hypervisor), journalOf(world)]).toEqual([["NOT_SUPPORTED", expect.stringMatching(/^nothing was done: hostb calls itself "hostb", .*MIGRATE_URI/)], [], undefined]);
      using named = twoHosts({ onevirt: { MIGRATE_URI: "tcp://10.0.0.2" } });
      namesItself(named, named.there, "hostb", addresses);
      expect(await outcomeOf(migrate(named))).toEqual({ answer: "" });
    }
  });

  test("both sides are connected to while they are asked, where this program connects to the destination; when that fails, the migration itself connects", async () => {
    using world = twoHosts();
    world.there.fails("migration.prepare", "TIMED_OUT");
    expect([await outcomeOf(migrate(world)), world.there.calls.filter((call) => call.startsWith("migration.")).map((call) => call.split(" ")[0])]).toEqual([{ answer: "" }, ["migration.prepare", "migration.migrateFrom"]]);
    using peers = twoHosts({ kvmrc: { MIGRATE_OPTIONS: ["--p2p"] } });
    expect([await outcomeOf(migrate(peers)), peers.hypervisor.calls.filter((call) => call.startsWith("migration.")).map((call) => call.split(" ")[0])]).toEqual([{ answer: "" }, ["migration.migrateToUri"]]);
  });

  test("a name that cannot be asked for, or not in time, keeps nobody from migrating", async () => {
    using world = twoHosts();
    world.there.hangs("node.hostname");
    expect([await outcomeOf(migrate(world)), world.log.lines]).toEqual([{ answer: "" }, []]);
  });

  test("a refusal of libvirt leaves the VM and its snapshots on the source, and says so", async () => {
    using world = twoHosts();
    snapshots(world);
    world.there.fails("migration.migrateFrom", "LIBVIRT_FAILED", { libvirt: { code: 81, domain: 10, text: "Unsafe migration" } });
    const error = await migrate(world).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(OnevirtError);
    expect(error).toMatchObject({ code: "LIBVIRT_FAILED", message: '"one-7" still runs on hosta: Cannot migration.migrateFrom: scripted LIBVIRT_FAILED', hint: expect.stringContaining("--unsafe") });
    expect([[...world.hypervisor.parts.known.keys()].sort(), world.hypervisor.parts.currentSnapshot, removals(world), journalOf(world)]).toEqual([["snap-0", "snap-1"], "snap-1", [], undefined]);
  });

  test("17.1 row 8: a lost answer after the handover is a success: nothing is destroyed on the destination", async () => {
    using world = twoHosts();
    world.there.breaks("migration.migrateFrom", { done: true });
    expect([await outcomeOf(migrate(world)), await state(world.there, world), removals(world)]).toEqual([{ answer: "" }, "running", []]);
  });

  test("17.1 row 8: a handover whose answer says failure is a success too", async () => {
    using world = twoHosts();
    world.there.next("migration.migrateFrom", async (proceed) => {
      await proceed();
      throw new OnevirtError("LIBVIRT_FAILED", "Cannot migrate", { libvirt: { code: 93, domain: 10, text: "finished" } });
    });
    expect([await outcomeOf(migrate(world)), await state(world.there, world), removals(world)]).toEqual([{ answer: "" }, "running", []]);
  });

  test("17.1 row 8: a destination lost after the handover: everything stays, and the same action finishes it later", async () => {
    using world = twoHosts();
    snapshots(world);
    world.there.next("migration.migrateFrom", async (proceed) => {
      await proceed();
      world.there.fails("find", "LIBVIRT_UNREACHABLE", { times: 20 });
      throw new OnevirtError("CONNECTION_LOST", "Cannot migrate: connection lost");
    });
    const first = await migrate(world).catch((reason: unknown) => reason as OnevirtError);
    expect([first instanceof OnevirtError && first.code, (first as OnevirtError).message, removals(world), journalOf(world)?.phase]).toEqual(["OUTCOME_UNKNOWN", expect.stringContaining("nothing was removed on either side"), [], "migrate"]);
    world.there.forget();
    expect([await outcomeOf(migrate(world)), await state(world.there, world), world.there.redefined.length, journalOf(world), removals(world)]).toEqual([{ answer: "" }, "running", 2, undefined, []]);
  });

  test("a source lost after the handover: the destination runs it, which is the answer", async () => {
    using world = twoHosts();
    world.there.next("migration.migrateFrom", async (proceed) => {
      await proceed();
      world.hypervisor.fails("find", "LIBVIRT_UNREACHABLE", { times: 20 });
      throw new OnevirtError("CONNECTION_LOST", "Cannot migrate: connection lost");
    });
    expect([await outcomeOf(migrate(world)), removals(world), world.log.lines.some((line) => line.includes("this side cannot be asked"))]).toEqual([{ answer: "" }, [], true]);
    world.hypervisor.forget();
  });

  test("both sides lost: OUTCOME_UNKNOWN names what each said", async () => {
    using world = twoHosts();
    world.there.next("migration.migrateFrom", async () => {
      for (const side of [world.hypervisor, world.there]) side.fails("find", "LIBVIRT_UNREACHABLE", { times: 20 });
      throw new OnevirtError("CONNECTION_LOST", "Cannot migrate: connection lost");
    });
    expect([await text(migrate(world)), removals(world)]).toEqual([expect.stringMatching(/hosta: Cannot find: .*; hostb: Cannot find: .*; nothing was removed/), []]);
    for (const side of [world.hypervisor, world.there]) side.forget();
  });

  test("an empty receiver is destroyed on the destination, but only when the VM runs on the source", async () => {
    using world = twoHosts();
    world.there.next("migration.migrateFrom", async () => {
      world.there.put({ ...VM, state: "paused", reason: PAUSED_BY_MIGRATION });
      throw new OnevirtError("LIBVIRT_FAILED", "Cannot migrate");
    });
    expect([await code(migrate(world)), await state(world.hypervisor, world), await state(world.there, world)]).toEqual(["LIBVIRT_FAILED", "running", "none"]);
    const order = [world.hypervisor.calls.lastIndexOf(`find ${UUID}`) > 0, world.there.calls.findIndex((call) => call.startsWith("destroy")) > world.there.calls.findIndex((call) => call.startsWith("find"))];
    expect(order).toEqual([true, true]);
  });

  test("both sides paused decide nothing: everything stays", async () => {
    using world = twoHosts();
    world.there.next("migration.migrateFrom", async () => {
      world.hypervisor.become(UUID, "paused", PAUSED_BY_MIGRATION);
      world.there.put({ ...VM, state: "paused", reason: PAUSED_BY_MIGRATION });
      throw new OnevirtError("CONNECTION_LOST", "Cannot migrate");
    });
    expect([await code(migrate(world)), removals(world), world.hypervisor.calls.includes(`resume ${UUID}`), journalOf(world)?.phase]).toEqual(["OUTCOME_UNKNOWN", [], false, "migrate"]);
  });

  test("17.1 row 8: a VM that runs on both sides is nobody's to judge: everything stays, and the message names both", async () => {
    using world = twoHosts();
    world.there.next("migration.migrateFrom", async () => {
      world.there.put(VM);
      throw new OnevirtError("CONNECTION_LOST", "Cannot migrate");
    });
    expect([await outcomeOf(migrate(world)), removals(world), journalOf(world)?.phase]).toEqual([["OUTCOME_UNKNOWN", expect.stringMatching(/hosta: it reports the domain running; hostb: it reports the domain running; nothing was removed/)], [], "migrate"]);
  });

  test("a dump of the domain by somebody else is not taken for the migration, and goes on", async () => {
    using world = twoHosts();
    world.there.next("migration.migrateFrom", async () => {
      world.hypervisor.parts.progress = { type: 2, fields: { operation: 7 } };
      throw new OnevirtError("CONNECTION_LOST", "Cannot migrate");
    });
    expect([await code(migrate(world)), world.hypervisor.calls.filter((call) => call.startsWith("jobs.abort")), await state(world.hypervisor, world)]).toEqual(["NOT_DONE", [], "running"]);
  });

  test("a source that was left paused by the migration is resumed when the destination has nothing", async () => {
    using world = twoHosts();
    world.there.next("migration.migrateFrom", async () => {
      world.hypervisor.become(UUID, "paused", PAUSED_BY_MIGRATION);
      throw new OnevirtError("LIBVIRT_FAILED", "Cannot migrate");
    });
    expect([await code(migrate(world)), await state(world.hypervisor, world)]).toEqual(["LIBVIRT_FAILED", "running"]);
  });

  test("what stays paused on the source after a handover is removed, unless its memory is still being sent", async () => {
    for (const [progress, left] of [[undefined, "none"], [{ type: 2, fields: {} }, "paused"]] as const) {
      using world = twoHosts();
      world.hypervisor.parts.onMigrate = () => {
        world.hypervisor.become(UUID, "paused", PAUSED_BY_MIGRATION);
        world.there.put(VM);
        world.hypervisor.parts.progress = progress;
      };
      expect([await outcomeOf(migrate(world)), await state(world.hypervisor, world), await state(world.there, world)]).toEqual([{ answer: "" }, left, "running"]);
    }
  });

  test("a guest that powers off meanwhile ran on neither side: an error, and nothing is removed", async () => {
    using world = twoHosts();
    world.hypervisor.parts.onMigrate = () => world.hypervisor.end(UUID);
    expect([await outcomeOf(migrate(world)), removals(world), journalOf(world)]).toEqual([["NOT_DONE", expect.stringContaining('"one-7" ended while it was migrated')], [], undefined]);
  });

  test("a definition that the destination had before is never undefined; one that a migration left is", async () => {
    for (const before of [true, false]) {
      using world = twoHosts();
      if (before) world.there.put({ ...VM, state: "shutoff", persistent: true });
      world.there.next("migration.migrateFrom", async () => {
        if (!before) world.there.put({ ...VM, state: "shutoff", persistent: true });
        throw new OnevirtError("LIBVIRT_FAILED", "Cannot migrate");
      });
      await migrate(world).catch(() => undefined);
      expect([before, removals(world)]).toEqual([before, before ? [] : [`undefine ${UUID}`]]);
    }
  });

  test("a snapshot that cannot be forgotten stops the migration, and those forgotten are known again", async () => {
    using world = twoHosts();
    snapshots(world);
    world.hypervisor.next("snapshots.delete", (proceed) => proceed()).fails("snapshots.delete", "LIBVIRT_FAILED");
    expect([await code(migrate(world)), [...world.hypervisor.parts.known.keys()].sort(), world.there.parts.migrations]).toEqual(["LIBVIRT_FAILED", ["snap-0", "snap-1"], []]);
  });
});

describe("migrate after a migration that was killed", () => {
  const entry: JournalEntry = {
    uuid: UUID, name: "one-7", source: "hosta", destination: "hostb", destinationUri: URI, phase: "migrate", wasRunning: true, definedBefore: false,
    snapshots: [{ name: "snap-0", xml: SNAPSHOT }], currentSnapshot: "snap-0", made: [],
  };
  const left = (world: World, more: Partial<JournalEntry> = {}) => void new Journal(world.files, STATE).write({ ...entry, ...more });

  test.each(["prepare", "migrate", "roll back"] as const)("in \"%s\", with the VM on the source: takes it back, and migrates", async (phase) => {
    using world = twoHosts();
    left(world, { phase });
    expect([await outcomeOf(migrate(world)), world.hypervisor.redefined.length, [...world.there.parts.known.keys()], journalOf(world)]).toEqual([{ answer: "" }, 1, ["snap-0"], undefined]);
  });

  test("in \"commit\", with the VM on the destination: finishes it there", async () => {
    using world = twoHosts({ domains: [] });
    world.there.put({ ...VM, state: "paused", reason: PAUSED_BY_MIGRATION });
    left(world, { phase: "commit" });
    expect([await outcomeOf(migrate(world)), await state(world.there, world), [...world.there.parts.known.keys()], removals(world), journalOf(world)]).toEqual([{ answer: "" }, "running", ["snap-0"], [], undefined]);
  });

  test("in \"commit\", with the VM back on the source: its snapshots of then are not told again, and it migrates", async () => {
    using world = twoHosts();
    left(world, { phase: "commit" });
    expect([await outcomeOf(migrate(world)), world.hypervisor.redefined, world.there.redefined, removals(world), journalOf(world)]).toEqual([{ answer: "" }, [], [], [], undefined]);
  });

  test("in \"commit\", with the VM back and something left that cannot be taken back: stays in \"commit\", so that the next look does not tell old snapshots either", async () => {
    using world = twoHosts();
    world.there.put({ ...VM, state: "paused", reason: PAUSED_BY_MIGRATION });
    world.there.fails("destroy", "LIBVIRT_FAILED");
    left(world, { phase: "commit" });
    expect([await outcomeOf(migrate(world)), journalOf(world)?.phase, world.hypervisor.redefined]).toEqual([["NOT_DONE", expect.stringContaining("the receiving domain was not removed")], "commit", []]);
  });

  test("a snapshot that libvirt does not take back is told, and the journal stays open for the next try", async () => {
    using world = twoHosts();
    world.hypervisor.fails("snapshots.redefine", "LIBVIRT_FAILED");
    left(world);
    expect([await outcomeOf(migrate(world)), journalOf(world)?.phase]).toEqual([["NOT_DONE", '"one-7" runs here, but an earlier migration of it cannot be taken back whole: not all snapshots are known to libvirt again'], "roll back"]);
    expect([await outcomeOf(migrate(world)), [...world.there.parts.known.keys()], journalOf(world)]).toEqual([{ answer: "" }, ["snap-0"], undefined]);
  });

  test("with the VM on the destination: finishes it, whatever became of the source", async () => {
    using world = twoHosts({ domains: [] });
    world.there.put(VM);
    left(world);
    expect([await outcomeOf(migrate(world)), [...world.there.parts.known.keys()], world.there.parts.migrations, journalOf(world)]).toEqual([{ answer: "" }, ["snap-0"], [], undefined]);
  });

  test("with the VM paused on the destination and gone from the source: resumes it there", async () => {
    using world = twoHosts({ domains: [] });
    world.there.put({ ...VM, state: "paused", reason: PAUSED_BY_MIGRATION });
    left(world);
    expect([await outcomeOf(migrate(world)), await state(world.there, world)]).toEqual([{ answer: "" }, "running"]);
  });

  test("while libvirt still migrates: ends that first, then migrates anew", async () => {
    using world = twoHosts();
    world.there.put({ ...VM, state: "paused", reason: PAUSED_BY_MIGRATION });
    world.hypervisor.parts.progress = { type: 2, fields: { data_total: 10n, data_remaining: 5n } };
    world.hypervisor.next("jobs.abort", async (proceed) => (await proceed(), world.there.end(UUID)));
    left(world);
    expect([await outcomeOf(migrate(world)), await state(world.there, world), world.hypervisor.calls.filter((call) => call.startsWith("jobs.abort"))]).toEqual([{ answer: "" }, "running", [`jobs.abort ${UUID}`]]);
  });

  test("to a host that cannot be asked: nothing is begun, and the message says what to check", async () => {
    using world = twoHosts({ domains: [] });
    world.others.delete(URI);
    left(world);
    expect([await code(migrate(world)), changes(world.hypervisor), journalOf(world)?.phase]).toEqual(["OUTCOME_UNKNOWN", [], "migrate"]);
  });

  test("to another host, where the VM is: says where it runs", async () => {
    using world = twoHosts({ domains: [] });
    const elsewhere = new FakeHypervisor(world.clock, [VM], "qemu+ssh://hostc/system");
    world.others.set("qemu+ssh://hostc/system", elsewhere);
    left(world, { destination: "hostc", destinationUri: "qemu+ssh://hostc/system" });
    expect([await outcomeOf(migrate(world)), changes(world.there)]).toEqual([["INVALID_STATE", '"one-7" runs on hostc, where an earlier migration took it'], []]);
  });

  test("without a journal, with the VM on the destination: what was asked for has been done", async () => {
    using world = twoHosts({ domains: [] });
    world.there.put(VM);
    expect([await outcomeOf(migrate(world)), changes(world.there)]).toEqual([{ answer: "" }, []]);
  });

  test("of a VM that nobody has: one clear error", async () => {
    using world = twoHosts({ domains: [] });
    expect(await outcomeOf(migrate(world))).toEqual(["DOMAIN_NOT_FOUND", `there is no domain "${UUID}" on hosta, and none on hostb`]);
  });
});

describe("migrate that gets nowhere", () => {
  const going = (remaining: bigint, iteration = 5) => ({ type: 2, fields: { data_total: 1000n, data_processed: 10n, data_remaining: remaining, memory_iteration: iteration } });

  /** A migration that lasts until its job is aborted, or switched to post-copy. */
  function endless(world: ReturnType<typeof twoHosts>): void {
    world.there.next("migration.migrateFrom", (proceed) => new Promise((resolve, reject) => {
      world.hypervisor.next("jobs.abort", async (abort) => (await abort(), reject(new OnevirtError("LIBVIRT_FAILED", "Cannot migrate: operation aborted"))));
      world.hypervisor.next("jobs.startPostCopy", async () => resolve(proceed()));
    }));
    world.hypervisor.parts.progress = going(500n);
  }

  test("is ended after MIGRATE_STALL_SECONDS: the VM stays, and the message says what would help", async () => {
    using world = twoHosts({ onevirt: { MIGRATE_STALL_SECONDS: 30 }, limitSeconds: 600 });
    endless(world);
    expect([await outcomeOf(migrate(world)), await state(world.hypervisor, world)]).toEqual([["NOT_DONE", '"one-7" still runs on hosta: the migration was ended: what is left to send has not become less for 30 s'], "running"]);
    expect(world.log.lines[0]).toMatch(/^INFO: Migration of "one-7": 0 s: 0 MiB sent, 0 MiB of 0 MiB left, pass 5$/);
    world.hypervisor.forget();
  });

  test("switches to post-copy where that is allowed", async () => {
    using world = twoHosts({ kvmrc: { MIGRATE_OPTIONS: ["--postcopy"] }, onevirt: { MIGRATE_STALL_SECONDS: 30 }, limitSeconds: 600 });
    endless(world);
    expect([await outcomeOf(migrate(world)), await state(world.there, world)]).toEqual([{ answer: "" }, "running"]);
    world.hypervisor.forget();
  });

  test("--postcopy-after-precopy switches after the first pass, --timeout-postcopy after its time", async () => {
    for (const [options, seconds] of [[["--postcopy", "--postcopy-after-precopy"], 1], [["--postcopy", "--timeout", "20", "--timeout-postcopy"], 20]] as const) {
      using world = twoHosts({ kvmrc: { MIGRATE_OPTIONS: options }, limitSeconds: 600 });
      endless(world);
      const [outcome, took] = [await outcomeOf(migrate(world)), world.clock.monotonicMs() / 1000];
      world.hypervisor.forget();
      expect([outcome, took - seconds <= 1]).toEqual([{ answer: "" }, true]);
    }
  });

  test("--timeout suspends the guest, which runs again on the destination", async () => {
    using world = twoHosts({ kvmrc: { MIGRATE_OPTIONS: ["--timeout", "15"] }, limitSeconds: 600 });
    world.there.next("migration.migrateFrom", (proceed) => new Promise((resolve) => void world.hypervisor.next("suspend", async (suspend) => (await suspend(), resolve(proceed())))));
    world.hypervisor.parts.progress = going(500n);
    expect([await outcomeOf(migrate(world)), await state(world.there, world)]).toEqual([{ answer: "" }, "running"]);
  });

  test("ends at the limit of the action, with an abort that keeps the VM", async () => {
    using world = twoHosts({ limitSeconds: 100 });
    endless(world);
    expect([await text(migrate(world)), await state(world.hypervisor, world)]).toEqual([expect.stringContaining("it takes longer than LIMIT_MIGRATE allows"), "running"]);
    world.hypervisor.forget();
  });
});

describe("migrate_local", () => {
  test("reaches both hosts from the front-end, and does the same", async () => {
    using world = given();
    const [here, there] = [new FakeHypervisor(world.clock, [VM], "qemu+ssh://hosta/system"), new FakeHypervisor(world.clock, [], URI)];
    world.others.set(here.uri, here).set(URI, there);
    here.parts.known.set("snap-0", SNAPSHOT);
    there.parts.onMigrate = () => (here.end(UUID), void there.put(VM));
    expect(await outcomeOf(runLocal({ arguments: ARGUMENTS, stdin: "" }, world))).toEqual({ answer: "" });
    expect([there.parts.migrations.length, [...there.parts.known.keys()], world.hypervisor.calls, world.commands.calls]).toEqual([1, ["snap-0"], [], []]); // names are for the source to know
  });
});
