import { describe, expect, test } from "bun:test";
import { Deadline } from "../../../src/core/deadline.ts";
import { OnevirtError, type ErrorCode } from "../../../src/core/errors.ts";
import type { DomainStatus } from "../../../src/core/ports.ts";
import { DOMAIN_STATES, isActive } from "../../../src/core/states.ts";
import { judge, lifeOf, type Evidence, type Life } from "../../../src/vm/liveness.ts";
import { given } from "../../fakes/world.ts";

const UUID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const status = (state: DomainStatus["state"]): DomainStatus => ({ name: "one-7", uuid: UUID, id: 3, state, reason: 0 });
const PROCESS = { pid: 77, seenIn: "/proc" } as const;

describe("judge()", () => {
  const unreachable = new OnevirtError("LIBVIRT_UNREACHABLE", "Cannot connect");
  const cases: [string, Evidence["libvirt"], Life, Life][] = [
    ["libvirt knows no such domain", "none", "gone", "unknown"],
    ["libvirt cannot be asked", unreachable, "unknown", "running"],
    ...DOMAIN_STATES.map((state) => [`libvirt reports it ${state}`, status(state), isActive(state) ? "running" : "gone", isActive(state) ? "running" : "unknown"] as [string, Evidence["libvirt"], Life, Life]),
  ];
  test.each(cases)("judge(): %s", (_what, libvirt, alone, withProcess) => {
    expect([judge({ libvirt, process: undefined }).life, judge({ libvirt, process: PROCESS }).life]).toEqual([alone, withProcess]);
  });

  test("judge() tells its evidence, and gives the domain where libvirt knows it", () => {
    expect([judge({ libvirt: "none", process: PROCESS }), judge({ libvirt: unreachable, process: undefined }), judge({ libvirt: status("paused"), process: PROCESS }), judge({ libvirt: status("shutoff"), process: undefined })]).toEqual([
      { life: "unknown", because: "libvirt has no such domain, but process 77 still runs (/proc)" },
      { life: "unknown", because: "libvirt cannot be asked (Cannot connect)" },
      { life: "running", because: "libvirt reports it paused", status: status("paused") },
      { life: "gone", because: "libvirt reports it shutoff, and no process has its UUID", status: status("shutoff") },
    ]);
  });
});

describe("lifeOf()", () => {
  const CODES: ErrorCode[] = ["LIBVIRT_UNREACHABLE", "CONNECTION_LOST", "TIMED_OUT", "BUSY", "LIBVIRT_FAILED"];
  test.each(CODES)("17.1 row 1: lifeOf() is unknown, never gone, when libvirt answers %s", async (code) => {
    using world = given();
    world.hypervisor.fails("find", code);
    expect((await lifeOf({ uuid: UUID, name: "one-7" }, world, world.deadline)).life).toBe("unknown");
  });

  test.each(["LIBVIRT_MISSING", "NOT_SUPPORTED"] as const)("lifeOf() hands on %s, which somebody must repair", async (code) => {
    using world = given();
    world.hypervisor.fails("find", code);
    expect(lifeOf({ uuid: UUID, name: "one-7" }, world, world.deadline)).rejects.toMatchObject({ code });
  });

  test("lifeOf() finds the process of a domain that libvirt has forgotten, by UUID and by pid file", async () => {
    using world = given();
    world.processes.put(UUID);
    world.processes.pidFiles.set("one-8", 88);
    expect([await lifeOf({ uuid: UUID.toUpperCase(), name: "" }, world, world.deadline), await lifeOf({ uuid: "", name: "one-8" }, world, world.deadline)]).toEqual([
      { life: "unknown", because: "libvirt has no such domain, but process 4711 still runs (/proc)" }, { life: "unknown", because: "libvirt has no such domain, but process 88 still runs (pid file)" },
    ]);
  });

  test("lifeOf() looks into /proc after libvirt has answered: a process that ends meanwhile is no contradiction", async () => {
    using world = given();
    world.processes.put(UUID);
    world.hypervisor.next("find", async (proceed) => {
      world.processes.end(UUID);
      return proceed();
    });
    expect((await lifeOf({ uuid: UUID, name: "one-7" }, world, world.deadline)).life).toBe("gone");
  });

  test("lifeOf() takes at most 35 s of a longer deadline", async () => {
    using world = given({ limitSeconds: 900 });
    world.hypervisor.hangs("find");
    await lifeOf({ uuid: UUID, name: "one-7" }, world, Deadline.after(900, world.clock));
    expect(world.clock.monotonicMs()).toBe(35_000);
  });
});
