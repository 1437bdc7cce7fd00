import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Deadline } from "../../src/core/deadline.ts";
import { OnevirtError } from "../../src/core/errors.ts";
import type { Hypervisor } from "../../src/core/ports.ts";
import { systemClock } from "../../src/host/clock.ts";
import { GuardedHypervisor } from "../../src/libvirt/guarded.ts";
import { BlockingDevices } from "../../src/libvirt/devices.ts";
import { DomainAccess } from "../../src/libvirt/domain-access.ts";
import { BlockingHypervisor } from "../../src/libvirt/hypervisor.ts";
import { BlockingJobs } from "../../src/libvirt/jobs.ts";
import { BlockingMigration } from "../../src/libvirt/migration.ts";
import { BlockingNode } from "../../src/libvirt/node.ts";
import { BlockingSnapshots } from "../../src/libvirt/snapshots.ts";
import { openBlocking } from "./blocking.ts";
import { Library } from "../../src/libvirt/library.ts";
import { startThread } from "../../src/thread.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeHypervisor } from "../fakes/hypervisor.ts";

/** One world in which the same promises must hold. */
interface Subject {
  readonly hypervisor: Hypervisor & Disposable;
  /** Another client of the same libvirt. */
  readonly other: Hypervisor & Disposable;
  deadline(seconds?: number): Deadline;
}

const TEST_DOMAIN = { name: "test", uuid: "6695eb01-f6a4-8304-79aa-97f2502e193f" };

const worlds: readonly (readonly [string, () => Subject])[] = [
  ["libvirt's test:///default", () => ({
    hypervisor: new GuardedHypervisor({ uri: "test:///default", startWorker: startThread }),
    other: new GuardedHypervisor({ uri: "test:///default", startWorker: startThread }),
    deadline: (seconds = 10) => Deadline.after(seconds, systemClock),
  })],
  ["the fake", () => {
    const clock = new FakeClock();
    const fake = new FakeHypervisor(clock, [{ ...TEST_DOMAIN, reason: 0, persistent: true, maxMemoryKiB: 8388608 }]);
    return { hypervisor: fake, other: fake, deadline: (seconds = 10) => Deadline.after(seconds, clock) };
  }],
];

const UUID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const MISSING = "00000000-0000-4000-8000-000000000000";
const NAMESPACE = "http://opennebula.org/xmlns/libvirt/1.0";

const documentOf = (name: string, uuid: string) => `<domain type='test'><name>${name}</name><uuid>${uuid}</uuid><memory>65536</memory><os><type arch='i686'>hvm</type></os></domain>`;

/** The code and libvirt's number of what a call throws. */
async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "no error",
    (error: unknown) => (error instanceof OnevirtError ? [error.code, error.libvirt?.code] : error),
  );
}

describe.each(worlds)("hypervisor on %s", (_world, open) => {
  let subject: Subject;
  beforeAll(() => {
    subject = open();
  });
  afterAll(() => {
    subject.hypervisor[Symbol.dispose]();
    subject.other[Symbol.dispose]();
  });

  test("find() takes a name, a UUID in any case, and an id", async () => {
    const { hypervisor, deadline } = subject;
    const found = await Promise.all(["test", TEST_DOMAIN.uuid, TEST_DOMAIN.uuid.toUpperCase(), "1"].map((ref) => hypervisor.find(ref, deadline())));
    expect(found).toEqual(Array.from({ length: 4 }, () => ({ ...TEST_DOMAIN, id: 1, state: "running", reason: 0 })));
  });

  test("find() gives nothing for what libvirt does not know", async () => {
    const { hypervisor, deadline } = subject;
    const refs = ["nope", MISSING, "4242", "99999999999999999999", "", "one-7'; --", "ünïcödé ☃", '"<&>'];
    expect(await Promise.all(refs.map((ref) => hypervisor.find(ref, deadline())))).toEqual(refs.map(() => undefined));
  });

  test("find() refuses a name that C would cut at a NUL", async () => {
    expect(await errorOf(subject.hypervisor.find("test\0x", subject.deadline()))).toEqual(["BAD_ARGUMENT", undefined]);
  });

  test("create() starts a transient domain, destroy() leaves nothing of it", async () => {
    const { hypervisor, deadline } = subject;
    const created = await hypervisor.create(documentOf("one-1", UUID), deadline());
    const running = await hypervisor.find("one-1", deadline());
    await hypervisor.destroy(UUID, deadline());
    expect([created, running, await hypervisor.find(UUID, deadline())] as unknown[]).toEqual([
      { name: "one-1", uuid: UUID, id: created.id }, { name: "one-1", uuid: UUID, id: created.id, state: "running", reason: 1 }, undefined,
    ]);
  });

  test("create() refuses what is not a document, a name and a UUID that are taken", async () => {
    const { hypervisor, deadline } = subject;
    await hypervisor.create(documentOf("one-2", UUID), deadline());
    const errors = [
      await errorOf(hypervisor.create("<domain", deadline())),
      await errorOf(hypervisor.create("<domain>\0</domain>", deadline())),
      await errorOf(hypervisor.create(documentOf("one-2", MISSING), deadline())),
      await errorOf(hypervisor.create(documentOf("one-2", UUID), deadline())),
    ];
    await hypervisor.destroy(UUID, deadline());
    expect(errors).toEqual([["LIBVIRT_FAILED", 35], ["BAD_ARGUMENT", undefined], ["LIBVIRT_FAILED", 9], ["INVALID_STATE", 55]]);
  });

  test("operations on a domain that is not there say so with libvirt's number", async () => {
    const { hypervisor, deadline } = subject;
    const calls = [
      hypervisor.destroy(MISSING, deadline()), hypervisor.shutdown(MISSING, "default", deadline()), hypervisor.reboot(MISSING, deadline()), hypervisor.reset(MISSING, deadline()),
      hypervisor.domainXml(MISSING, {}, deadline()), hypervisor.metadata(MISSING, NAMESPACE, deadline()), hypervisor.snapshots.redefine(MISSING, "<domainsnapshot/>", {}, deadline()),
    ];
    expect(await Promise.all(calls.map(errorOf))).toEqual(calls.map(() => ["DOMAIN_NOT_FOUND", 42]));
  });

  test("shutdown() of a transient domain lets it go, and a second one finds none", async () => {
    const { hypervisor, deadline } = subject;
    await hypervisor.create(documentOf("one-3", UUID), deadline());
    await hypervisor.shutdown(UUID, "default", deadline());
    expect([await hypervisor.find("one-3", deadline()), await errorOf(hypervisor.shutdown(UUID, "default", deadline()))]).toEqual([undefined, ["DOMAIN_NOT_FOUND", 42]]);
  });

  test("domainXml() gives a document with the name in it, quotes and unicode included", async () => {
    const { hypervisor, deadline } = subject;
    const name = "wild ☃ &amp; \"it's\"";
    await hypervisor.create(documentOf(name, UUID), deadline());
    const xml = await hypervisor.domainXml(UUID, { secure: true }, deadline());
    const found = await hypervisor.find("wild ☃ & \"it's\"", deadline());
    await hypervisor.destroy(UUID, deadline());
    expect([/<name>(.*)<\/name>/.exec(xml)?.[1]?.replace(/&quot;/g, '"').replace(/&apos;/g, "'"), found?.uuid]).toEqual([name, UUID]);
  });

  test("metadata() gives nothing for a domain that has none", async () => {
    expect(await subject.hypervisor.metadata(TEST_DOMAIN.uuid, NAMESPACE, subject.deadline())).toBeUndefined();
  });

  test("list() gives the active domains by id, stats() the same in any order", async () => {
    const { hypervisor, deadline } = subject;
    const { id } = await hypervisor.create(documentOf("one-4", UUID), deadline());
    const answers = [await hypervisor.list(deadline()), [...(await hypervisor.stats(["state"], undefined, deadline()))].sort((a, b) => a.id - b.id), await hypervisor.stats(["state"], [UUID, MISSING], deadline()), await hypervisor.stats(["state"], [], deadline())];
    await hypervisor.destroy(UUID, deadline());
    const [test, one] = [{ ...TEST_DOMAIN, id: 1 }, { name: "one-4", uuid: UUID, id }];
    const fields = (reason: number) => ({ "state.state": 1, "state.reason": reason });
    expect(answers as unknown[]).toEqual([[{ ...test, state: "running", reason: 0 }, { ...one, state: "running", reason: 1 }], [{ ...test, fields: fields(0) }, { ...one, fields: fields(1) }], [{ ...one, fields: fields(1) }], []]);
  });

  test("maxMemoryKiB() leaves out domains that are gone", async () => {
    expect(await subject.hypervisor.maxMemoryKiB([TEST_DOMAIN.uuid, MISSING], subject.deadline())).toEqual({ [TEST_DOMAIN.uuid]: 8388608 });
  });

  test("versions() tells library, daemon and driver", async () => {
    expect(await subject.hypervisor.versions(subject.deadline())).toEqual({ library: expect.stringMatching(/^\d+\.\d+\.\d+$/), daemon: expect.stringMatching(/^\d+\.\d+\.\d+$/), type: expect.stringMatching(/^test$/i) });
  });

  test("watchStop() hears of a destroy by another client, also when it is asked late", async () => {
    const { hypervisor, other, deadline } = subject;
    await hypervisor.create(documentOf("one-5", UUID), deadline());
    using watch = await hypervisor.watchStop(UUID, deadline());
    await other.destroy(UUID, deadline());
    expect([await watch.stopped(deadline(5)), await watch.stopped(deadline(5))]).toEqual([true, true]);
  });

  test("watchStop() does not take the end of another domain for its own", async () => {
    const { hypervisor, deadline } = subject;
    await hypervisor.create(documentOf("one-6", UUID), deadline());
    using watch = await hypervisor.watchStop(TEST_DOMAIN.uuid, deadline());
    using own = await hypervisor.watchStop(UUID, deadline());
    await hypervisor.destroy(UUID, deadline());
    expect([await own.stopped(deadline(5)), await watch.stopped(deadline(0.05))]).toEqual([true, false]);
  });

  test("a call without time left is not begun", async () => {
    const { hypervisor, deadline } = subject;
    await hypervisor.create(documentOf("one-8", UUID), deadline());
    const refused = await errorOf(hypervisor.destroy(UUID, deadline(0)));
    const after = await hypervisor.find(UUID, deadline());
    await hypervisor.destroy(UUID, deadline());
    expect([refused, after?.state]).toEqual([["TIMED_OUT", undefined], "running"]);
  });

  test("suspend() and resume() change the state, and the life of all domains is told", async () => {
    const { hypervisor, deadline } = subject;
    await hypervisor.create(documentOf("one-20", UUID), deadline());
    await hypervisor.suspend(UUID, deadline());
    const suspended = await hypervisor.find(UUID, deadline());
    await hypervisor.resume(UUID, deadline());
    const resumed = await hypervisor.find(UUID, deadline());
    await hypervisor.destroy(UUID, deadline());
    expect([suspended?.state, resumed?.state]).toEqual(["paused", "running"]);
  });

  test("setMetadata() replaces what metadata() gives", async () => {
    const { hypervisor, deadline } = subject;
    await hypervisor.create(documentOf("one-21", UUID), deadline());
    await hypervisor.setMetadata(UUID, NAMESPACE, "one", `<vm id="7"/>`, deadline());
    const metadata = await hypervisor.metadata(UUID, NAMESPACE, deadline());
    await hypervisor.destroy(UUID, deadline());
    expect(metadata).toMatch(/<(\w+:)?vm [^>]*id=['"]7['"]/);
  });

  test("snapshots are taken, named, read, reverted to and deleted, and one that is not there is SNAPSHOT_NOT_FOUND", async () => {
    const { hypervisor: { create, destroy, snapshots }, hypervisor, deadline } = subject;
    await create.call(hypervisor, documentOf("one-22", UUID), deadline());
    const before = await snapshots.current(UUID, deadline());
    const name = await snapshots.create(UUID, "<domainsnapshot><name>snap-0</name></domainsnapshot>", deadline());
    await snapshots.create(UUID, "<domainsnapshot/>", deadline());
    const seen = { before, name, names: (await snapshots.names(UUID, deadline())).length, current: await snapshots.current(UUID, deadline()) !== "snap-0", xml: (await snapshots.xml(UUID, "snap-0", {}, deadline())).includes("<name>snap-0</name>") };
    await snapshots.revert(UUID, "snap-0", {}, deadline());
    const current = await snapshots.current(UUID, deadline());
    await snapshots.delete(UUID, "snap-0", {}, deadline());
    const missing = [await errorOf(snapshots.xml(UUID, "snap-0", {}, deadline())), await errorOf(snapshots.delete(UUID, "snap-0", {}, deadline()))].map((error) => (error as unknown[])[0]);
    for (const left of await snapshots.names(UUID, deadline())) await snapshots.delete(UUID, left, {}, deadline());
    await destroy.call(hypervisor, UUID, deadline());
    expect([seen, current, missing] as unknown[]).toEqual([{ before: undefined, name: "snap-0", names: 2, current: true, xml: true }, "snap-0", ["SNAPSHOT_NOT_FOUND", "SNAPSHOT_NOT_FOUND"]]);
  });

  test("images.save() ends the domain, images.restore() brings it back", async () => {
    const { hypervisor, deadline } = subject;
    const path = join(tmpdir(), `onevirt-image-${process.pid}`);
    await hypervisor.create(documentOf("one-23", UUID), deadline());
    await hypervisor.images.save(UUID, path, deadline());
    const gone = await hypervisor.find(UUID, deadline());
    const xml = await hypervisor.images.xml(path, { secure: true }, deadline());
    await hypervisor.images.restore(path, undefined, deadline());
    const back = await hypervisor.find("one-23", deadline());
    await hypervisor.destroy(UUID, deadline());
    rmSync(path, { force: true });
    expect([gone, /<name>one-23<\/name>/.test(xml), back?.uuid]).toEqual([undefined, true, UUID]);
  });

  test("devices.setMemory() and the rest refuse a domain that is not there", async () => {
    const { hypervisor: { devices, jobs, guest, images }, deadline } = subject;
    const calls = [devices.setMemory(MISSING, 1024, deadline()), devices.attach(MISSING, "<disk/>", deadline()), jobs.progress(MISSING, deadline()), guest.syncTime(MISSING, deadline()), images.save(MISSING, "/nowhere/x", deadline())];
    expect((await Promise.all(calls.map(errorOf))).map((error) => (error as unknown[])[0])).toEqual(calls.map(() => "DOMAIN_NOT_FOUND"));
  });

  test("node gives the capabilities of the host", async () => {
    expect(await subject.hypervisor.node.capabilities(subject.deadline())).toMatch(/^<capabilities>[\s\S]*<host>/);
  });
});

describe("BlockingHypervisor", () => {
  test("BlockingHypervisor leaks nothing, whatever succeeds or fails", () => {
    const library = new Library(undefined);
    const hypervisor = openBlocking(BlockingHypervisor, library, "test:///default", false);
    using access = new DomainAccess(library, "test:///default", false);
    const [devices, snapshots, jobs, migration, node] = [new BlockingDevices(access), new BlockingSnapshots(access), new BlockingJobs(access), new BlockingMigration(access), new BlockingNode(access)];
    const attempts = [
      () => hypervisor.find("test"), () => hypervisor.find("nope"), () => hypervisor.create(documentOf("one-9", UUID)), () => hypervisor.create(documentOf("one-9", UUID)), () => hypervisor.create("<x/>"),
      () => hypervisor.list(), () => hypervisor.stats(["state", "block"], undefined), () => hypervisor.stats(["state"], [UUID, MISSING]), () => hypervisor.maxMemoryKiB([UUID, MISSING]),
      () => hypervisor.domainXml(UUID, {}), () => hypervisor.domainXml(MISSING, {}), () => hypervisor.metadata(UUID, NAMESPACE), () => snapshots.redefine(UUID, "<domainsnapshot/>", {}),
      () => snapshots.create(UUID, "<domainsnapshot><name>one</name></domainsnapshot>"), () => snapshots.names(UUID), () => snapshots.current(UUID), () => snapshots.xml(UUID, "one", {}),
      () => snapshots.xml(UUID, "two", {}), () => snapshots.delete(UUID, "one", {}), () => devices.attach(UUID, "<no/>"), () => jobs.progress(UUID), () => jobs.disk(UUID, "vda"),
      () => migration.migrateToUri(UUID, "test:///nowhere", 1, { migrate_uri: "tcp:x", bandwidth: 5n, connections: 2, migrate_disks: ["vda", "vdb"] }), () => node.capabilities(), () => node.cpuMhz(), () => node.hostname(),
      () => migration.prepare("test:///default"), () => migration.prepare("test:///nowhere"), () => migration.migrateFrom("test:///default", UUID, 1, {}), () => migration.migrateFrom("test:///nowhere", UUID, 1, {}),
      () => hypervisor.versions(), () => hypervisor.reboot(MISSING), () => hypervisor.shutdown(UUID, "default"), () => hypervisor.destroy(UUID),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch (error) {
        expect(error).toBeInstanceOf(OnevirtError);
      }
    }
    access[Symbol.dispose]();
    const open = { ...library.owned };
    hypervisor[Symbol.dispose]();
    hypervisor[Symbol.dispose]();
    expect([open.connection, open.domain, library.owned.connection, library.owned.domain, library.owned.snapshot ?? 0]).toEqual([1, 0, 0, 0, 0]);
  });

  test("BlockingHypervisor gives a list again only when something has changed, or another connection asks", () => {
    const library = new Library(undefined);
    using hypervisor = openBlocking(BlockingHypervisor, library, "test:///default", false);
    using other = openBlocking(BlockingHypervisor, library, "test:///default", false);
    const first = hypervisor.listSince(undefined);
    const same = hypervisor.listSince(first.hash);
    const elsewhere = other.listSince(first.hash);
    const { uuid = "" } = first.domains?.[0] ?? {};
    hypervisor.suspend(uuid);
    const paused = hypervisor.listSince(first.hash);
    expect([first.domains?.map(({ name, state }) => [name, state]), same, elsewhere.domains?.length, paused.domains?.map(({ state }) => state)]).toEqual([[["test", "running"]], { hash: first.hash }, 1, ["paused"]]);
  });

  test("BlockingHypervisor prints nothing on stderr, although libvirt does by itself", () => {
    const script = `
      import { BlockingHypervisor } from "./src/libvirt/hypervisor.ts";
      import { Library } from "./src/libvirt/library.ts";
      import { openBlocking } from "./test/libvirt/blocking.ts";
      const open = (uri) => openBlocking(BlockingHypervisor, new Library(undefined), uri, false);
      for (const work of [() => open("test:///default").destroy("${MISSING}"), () => open("test:///default").create("<x"), () => open("qemu+unix:///system?socket=/nowhere").list(), () => open("nonsense://x/").list()])
        try { work(); } catch (error) { console.log(error.code); }`;
    const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", script], { cwd: `${import.meta.dir}/../..` });
    expect([stdout.toString(), stderr.toString()]).toEqual(["DOMAIN_NOT_FOUND\nLIBVIRT_FAILED\nLIBVIRT_UNREACHABLE\nLIBVIRT_UNREACHABLE\n", ""]);
  });
});
