import { describe, expect, test } from "bun:test";
import { OnevirtError } from "../../../src/core/errors.ts";
import { freezeGuest, thawGuest } from "../../../src/vm/guest-freeze.ts";
import { given } from "../../fakes/world.ts";

const UUID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const VM = { name: "one-7", uuid: UUID };
const FROZEN = { uuid: UUID, token: "t1", seconds: 60 };
const codeOf = (work: Promise<unknown>) => work.then(() => "done", (error: unknown) => (error instanceof OnevirtError ? error.code : error));

describe("freezeGuest() and thawGuest()", () => {
  test("freezeGuest() arms the thaw before it freezes", async () => {
    using world = given({ domains: [VM] });
    let frozenWhenArmed: boolean | undefined;
    const count = await freezeGuest(FROZEN, async () => void (frozenWhenArmed = world.hypervisor.parts.frozen), world, world.deadline);
    expect([count, frozenWhenArmed, world.hypervisor.parts.frozen, await thawGuest(FROZEN, world, world.deadline), world.hypervisor.parts.frozen]).toEqual([1, false, true, 1, false]);
  });

  test("freezeGuest() freezes nothing when the thaw cannot be armed", async () => {
    using world = given({ domains: [VM] });
    expect([await codeOf(freezeGuest(FROZEN, () => Promise.reject(new OnevirtError("COMMAND_FAILED", "no process")), world, world.deadline)), world.hypervisor.calls.filter((call) => call.startsWith("guest.freeze"))]).toEqual(["COMMAND_FAILED", []]);
  });

  test("freezeGuest() whose answer is late thaws at once: the guest may have frozen after all", async () => {
    using world = given({ domains: [VM], limitSeconds: 300 });
    world.hypervisor.hangs("guest.freeze", "at once");
    expect([await codeOf(freezeGuest(FROZEN, async () => undefined, world, world.deadline)), world.hypervisor.parts.frozen]).toEqual(["TIMED_OUT", false]);
  });

  test("freezeGuest() of a guest that is frozen is refused", async () => {
    using world = given({ domains: [VM] });
    await freezeGuest(FROZEN, async () => undefined, world, world.deadline);
    expect(await codeOf(freezeGuest({ uuid: UUID, token: "t2", seconds: 60 }, async () => undefined, world, world.deadline))).toBe("BUSY");
  });

  test("thawGuest() asks again until the agent answers, and gives up at its deadline", async () => {
    using world = given({ domains: [VM], limitSeconds: 300 });
    world.hypervisor.fails("guest.thaw", "AGENT_UNRESPONSIVE", { times: 3 });
    using silent = given({ domains: [VM], limitSeconds: 5 });
    silent.hypervisor.fails("guest.thaw", "AGENT_UNRESPONSIVE", { times: 5 });
    expect([await thawGuest({ uuid: UUID, token: undefined }, world, world.deadline), await codeOf(thawGuest({ uuid: UUID, token: undefined }, silent, silent.deadline))]).toEqual([1, "AGENT_UNRESPONSIVE"]);
  });

  test("thawGuest() leaves a later freeze of somebody else alone", async () => {
    using world = given({ domains: [VM] });
    await freezeGuest(FROZEN, async () => undefined, world, world.deadline);
    await thawGuest({ uuid: UUID, token: undefined }, world, world.deadline);
    await freezeGuest({ uuid: UUID, token: "t2", seconds: 60 }, async () => undefined, world, world.deadline);
    expect([await thawGuest(FROZEN, world, world.deadline), world.hypervisor.parts.frozen]).toEqual([0, true]);
  });

  test("thawGuest() of a guest that is gone is done", async () => {
    using world = given();
    expect(await thawGuest({ uuid: UUID, token: undefined }, world, world.deadline)).toBe(0);
  });
});
