import { describe, expect, test } from "bun:test";
import { run } from "../../../src/actions/shutdown.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import type { FakeDomain } from "../../fakes/domain.ts";
import { given, type Given, type World } from "../../fakes/world.ts";
import { DIRECTORY, documentOf, KEPT_TPM, PLAIN_DIRECTORY, TPM, UUID, VGPU, VM_XML_WITH_VGPU } from "./document.ts";

const VM: FakeDomain = { name: "one-7", uuid: UUID, xml: documentOf() };

/** A running VM 7; shutdown's limit is 120 s on top of SHUTDOWN_TIMEOUT. */
function withVm(vm: Partial<FakeDomain> = {}, more: Given = {}): World {
  const seconds = more.kvmrc?.SHUTDOWN_TIMEOUT ?? 120;
  return given({ domains: [{ ...VM, ...vm }], limitSeconds: 120 + seconds, ...more });
}

const shutdown = (world: World, deployId = UUID) => run({ arguments: { "deploy-id": deployId, host: "h", vmid: "7" }, stdin: "" }, world);

async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then((answer) => ({ answer }), (error: unknown) => (error instanceof OnevirtError ? [error.code, error.message] : error));
}

const asked = (world: World) => world.hypervisor.calls.filter((call) => /^(shutdown|destroy)/.test(call));
const still = ["NOT_DONE", "Timed out shutting down one-7"];

describe("shutdown", () => {
  test("shutdown listens first, then asks once, and ends as soon as the guest has", async () => {
    using world = withVm({ powersOffAfterMs: 7300 });
    const outcome = await outcomeOf(shutdown(world));
    expect([outcome, world.hypervisor.calls.filter((call) => !/^find/.test(call)), world.clock.monotonicMs(), world.locks.calls]).toEqual([
      { answer: "" }, [`domainXml ${UUID}`, `watchStop ${UUID}`, `shutdown ${UUID} default`], 7300, [`lock ${UUID} for shutdown`, `unlock ${UUID}`],
    ]);
  });

  test.each([["its name", "one-7"], ["its UUID", UUID], ["its id", "1"]])("shutdown finds the domain by %s", async (_what, ref) => {
    using world = withVm();
    expect([await outcomeOf(shutdown(world, ref)), asked(world)]).toEqual([{ answer: "" }, [`shutdown ${UUID} default`]]);
  });

  test("shutdown of a domain that is gone is done", async () => {
    using world = given();
    expect([await outcomeOf(shutdown(world)), asked(world)]).toEqual([{ answer: "" }, []]);
  });

  test("shutdown of a persistent domain that is off is done, and one that is on ends inactive", async () => {
    using off = withVm({ persistent: true, state: "shutoff" });
    using on = withVm({ persistent: true });
    expect([await outcomeOf(shutdown(off)), asked(off), await outcomeOf(shutdown(on)), on.clock.monotonicMs()]).toEqual([{ answer: "" }, [], { answer: "" }, 0]);
  });

  test("shutdown finds OpenNebula's name for the VM when the deploy id was lost", async () => {
    using world = withVm();
    expect([await outcomeOf(shutdown(world, "")), asked(world)]).toEqual([{ answer: "" }, [`shutdown ${UUID} default`]]);
  });

  test("shutdown asks once more after half the time, by ACPI", async () => {
    using world = withVm({ powersOffAfterMs: "never" }, { kvmrc: { SHUTDOWN_TIMEOUT: 60 } });
    world.hypervisor.next("shutdown", async () => undefined).next("shutdown", async () => {
      expect(world.clock.monotonicMs()).toBe(30_000);
      world.hypervisor.end(UUID);
    });
    expect([await outcomeOf(shutdown(world)), asked(world)]).toEqual([{ answer: "" }, [`shutdown ${UUID} default`, `shutdown ${UUID} acpi`]]);
  });

  test("shutdown whose agent takes the request and never answers still asks by ACPI in time", async () => {
    using world = withVm({ powersOffAfterMs: "never" }, { kvmrc: { SHUTDOWN_TIMEOUT: 30 } });
    world.hypervisor.hangs("shutdown").next("shutdown", async () => world.hypervisor.end(UUID));
    expect([await outcomeOf(shutdown(world)), asked(world), world.clock.monotonicMs()]).toEqual([{ answer: "" }, [`shutdown ${UUID} default`, `shutdown ${UUID} acpi`], 15_000]);
  });

  test("shutdown of a guest that does not hear fails after SHUTDOWN_TIMEOUT, and leaves it running", async () => {
    using world = withVm({ powersOffAfterMs: "never" }, { kvmrc: { SHUTDOWN_TIMEOUT: 60 } });
    expect([await outcomeOf(shutdown(world)), world.clock.monotonicMs(), asked(world).length]).toEqual([still, 60_000, 2]);
  });

  test("shutdown sees the end without an event, at its next look", async () => {
    using world = withVm({ powersOffAfterMs: "never" });
    world.clock.after(11_000, () => world.hypervisor.next("find", async () => undefined));
    expect([await outcomeOf(shutdown(world)), world.clock.monotonicMs()]).toEqual([{ answer: "" }, 15_000]);
  });

  test("shutdown looks every second, not without pause, when its listener was lost", async () => {
    using world = withVm({ powersOffAfterMs: 20_500 });
    world.clock.after(3000, () => world.hypervisor.loseListeners());
    const outcome = await outcomeOf(shutdown(world));
    expect([outcome, world.clock.monotonicMs(), world.hypervisor.calls.filter((call) => /^find/.test(call)).length]).toEqual([{ answer: "" }, 21_000, 20]);
  });

  test("shutdown looks every second when it cannot listen at all", async () => {
    using world = withVm({ powersOffAfterMs: 4500 });
    world.hypervisor.fails("watchStop", "NOT_SUPPORTED");
    expect([await outcomeOf(shutdown(world)), world.clock.monotonicMs(), world.log.lines]).toEqual([{ answer: "" }, 5000, ['WARN: Cannot listen to the end of "one-7", looking every second instead: Cannot watchStop: scripted NOT_SUPPORTED']]);
  });

  test("shutdown goes on waiting for a domain that was started again, once a second", async () => {
    using world = withVm({ powersOffAfterMs: "never" }, { kvmrc: { SHUTDOWN_TIMEOUT: 20 } });
    world.clock.after(2000, () => world.hypervisor.tellStopped(UUID)); // an event, and the domain is there
    expect([await outcomeOf(shutdown(world)), world.clock.monotonicMs(), world.hypervisor.calls.length < 40]).toEqual([still, 20_000, true]);
  });

  test("shutdown waits for a process that outlives its domain", async () => {
    using world = withVm();
    world.processes.put(UUID);
    world.clock.after(2500, () => world.processes.end(UUID));
    expect([await outcomeOf(shutdown(world)), world.clock.monotonicMs()]).toEqual([{ answer: "" }, 2600]);
  });

  test("shutdown does not call a domain gone whose process stays", async () => {
    using world = withVm({}, { kvmrc: { SHUTDOWN_TIMEOUT: 30 } });
    world.processes.put(UUID);
    expect(await outcomeOf(shutdown(world))).toEqual(["OUTCOME_UNKNOWN", "it is not certain that it has ended: libvirt has no such domain, but process 4711 still runs (/proc)"]);
  });

  test("shutdown waits for another action, and says which", async () => {
    using world = withVm({}, { limitSeconds: 10 });
    world.locks.hold(UUID, "one-7", "deploy");
    expect([await outcomeOf(shutdown(world)), asked(world)]).toEqual([["BUSY", 'Cannot lock "one-7": "deploy" is in progress'], []]);
  });
});

describe("shutdown when libvirt cannot be asked", () => {
  test.each(["LIBVIRT_UNREACHABLE", "CONNECTION_LOST", "LIBVIRT_FAILED"] as const)("17.1 row 1: shutdown that meets %s at once is a failure, never success", async (code) => {
    using world = withVm();
    world.hypervisor.fails("find", code, { times: 6 });
    expect([((await outcomeOf(shutdown(world))) as string[])[0], asked(world)]).toEqual(["LIBVIRT_UNREACHABLE", []]);
  });

  test("17.1 row 1: shutdown whose libvirtd goes away while it waits is outcome unknown", async () => {
    using world = withVm({ powersOffAfterMs: "never" }, { kvmrc: { SHUTDOWN_TIMEOUT: 30 } });
    world.clock.after(1000, () => world.hypervisor.fails("find", "LIBVIRT_UNREACHABLE", { times: 6 }));
    expect(await outcomeOf(shutdown(world))).toEqual(["OUTCOME_UNKNOWN", "it is not certain that it has ended: libvirt cannot be asked (Cannot find: scripted LIBVIRT_UNREACHABLE)"]);
  });

  test("17.1 row 1: shutdown does not give up at half its time because libvirtd is away just then", async () => {
    using world = withVm({ powersOffAfterMs: 50_000 }, { kvmrc: { SHUTDOWN_TIMEOUT: 60 } });
    world.clock.after(26_000, () => world.hypervisor.fails("find", "LIBVIRT_UNREACHABLE"));
    expect(await outcomeOf(shutdown(world))).toEqual({ answer: "" });
  });

  test("17.1 row 1: shutdown survives a restart of libvirtd while it waits", async () => {
    using world = withVm({ powersOffAfterMs: 20_000 });
    world.clock.after(4000, () => {
      world.hypervisor.loseListeners();
      world.hypervisor.fails("find", "LIBVIRT_UNREACHABLE", { times: 8 });
    });
    expect(await outcomeOf(shutdown(world))).toEqual({ answer: "" });
  });

  test("17.1 row 1: shutdown with FORCE_DESTROY does not take a process that it sees for an end", async () => {
    using world = withVm({ powersOffAfterMs: "never" }, { kvmrc: { SHUTDOWN_TIMEOUT: 10, FORCE_DESTROY: true } });
    world.processes.put(UUID);
    world.clock.after(1000, () => world.hypervisor.fails("find", "LIBVIRT_UNREACHABLE", { times: 2 }).fails("destroy", "LIBVIRT_UNREACHABLE"));
    expect(await outcomeOf(shutdown(world))).toEqual(["LIBVIRT_UNREACHABLE", "Cannot destroy: scripted LIBVIRT_UNREACHABLE"]);
  });
});

describe("shutdown by force", () => {
  const forced = { kvmrc: { SHUTDOWN_TIMEOUT: 10, FORCE_DESTROY: true } };

  test("shutdown destroys a guest that does not hear when FORCE_DESTROY is set, and says so", async () => {
    using world = withVm({ powersOffAfterMs: "never" }, forced);
    expect([await outcomeOf(shutdown(world)), asked(world), world.log.lines]).toEqual([{ answer: "" }, [`shutdown ${UUID} default`, `shutdown ${UUID} acpi`, `destroy ${UUID}`], ["ERROR: Timed out shutting down one-7. Destroying it"]]);
  });

  test("17.1 row 2: shutdown fails when the forced destroy fails to its end", async () => {
    using world = withVm({ powersOffAfterMs: "never" }, { ...forced, limitSeconds: 40 });
    world.hypervisor.fails("destroy", "LIBVIRT_FAILED", { times: 30 });
    const outcome = await outcomeOf(shutdown(world));
    expect([outcome, (await world.hypervisor.find(UUID, withVm().deadline))?.state]).toEqual([["NOT_DONE", "it still runs: Cannot destroy: scripted LIBVIRT_FAILED"], "running"]);
  });

  test("17.1 row 2: shutdown tries a forced destroy that was refused again, and succeeds when it is gone", async () => {
    using world = withVm({ powersOffAfterMs: "never" }, forced);
    world.hypervisor.fails("destroy", "BUSY", { times: 2 });
    expect([await outcomeOf(shutdown(world)), asked(world).filter((call) => /^destroy/.test(call)).length]).toEqual([{ answer: "" }, 3]);
  });

  test("17.1 row 2: shutdown whose forced destroy gives no answer is outcome unknown", async () => {
    using world = withVm({ powersOffAfterMs: "never" }, forced);
    world.hypervisor.hangs("destroy");
    expect(((await outcomeOf(shutdown(world))) as string[])[0]).toBe("OUTCOME_UNKNOWN");
  });

  test("17.1 row 2: shutdown whose forced destroy took all the time there was is done when the domain is gone", async () => {
    using world = withVm({ powersOffAfterMs: "never" }, forced);
    world.hypervisor.hangs("destroy", "at once");
    expect(await outcomeOf(shutdown(world))).toEqual({ answer: "" });
  });

  const STUCK: [string, FakeDomain["state"], number][] = [["paused by a user", "paused", 1], ["paused after an I/O error", "paused", 5], ["crashed", "crashed", 0], ["suspended to RAM", "pmsuspended", 0]];
  test.each(STUCK)("shutdown does not wait for a domain that is %s: it forces at once, or fails with libvirt's reason", async (_what, state, reason) => {
    using soft = withVm({ state: state as "paused", reason });
    using hard = withVm({ state: state as "paused", reason }, forced);
    expect([await outcomeOf(shutdown(soft)), await outcomeOf(shutdown(hard)), soft.clock.monotonicMs(), hard.clock.monotonicMs()]).toEqual([["NOT_DONE", `Cannot shut down domain ${UUID}: domain is not running`], { answer: "" }, 0, 0]);
  });

  test("shutdown waits for a domain that is paused for a moment only", async () => {
    using world = withVm({ state: "paused", reason: 2, powersOffAfterMs: 1000 });
    world.clock.after(5000, () => world.hypervisor.become(UUID, "running", 1));
    expect([await outcomeOf(shutdown(world)), world.clock.monotonicMs()]).toEqual([{ answer: "" }, 61_000]); // asked again after half of 120 s
  });

  test("shutdown with CANCEL_NO_ACPI destroys a guest without ACPI at once, and only such a guest", async () => {
    using deaf = withVm({ xml: documentOf({ features: "<apic/>" }) }, { kvmrc: { CANCEL_NO_ACPI: true } });
    using hears = withVm({}, { kvmrc: { CANCEL_NO_ACPI: true } });
    using unset = withVm({ xml: documentOf({ features: "<apic/>" }) });
    for (const world of [deaf, hears, unset]) await shutdown(world);
    expect([deaf, hears, unset].map(asked)).toEqual([[`destroy ${UUID}`], [`shutdown ${UUID} default`], [`shutdown ${UUID} default`]]);
  });

  test("shutdown never exceeds the limit that an administrator has set", async () => {
    using world = withVm({ powersOffAfterMs: "never" }, { kvmrc: { SHUTDOWN_TIMEOUT: 600 }, limitSeconds: 20 });
    expect([await outcomeOf(shutdown(world)), world.clock.monotonicMs()]).toEqual([still, 20_000]);
  });
});

describe("shutdown and what belongs to the VM", () => {
  /** State of the domain whenever root is asked for something. */
  function watchRoot(world: World): string[] {
    const seen: string[] = [];
    world.root.onCall = (call) => void seen.push(`${call.split(" ").slice(0, 2).join(" ")}: ${world.hypervisor.calls.some((each) => /^shutdown/.test(each)) ? "after" : "before"}`);
    return seen;
  }

  test("17.1 row 11: shutdown saves the TPM state after the guest has stopped, when libvirt keeps it", async () => {
    using world = withVm({ xml: documentOf({ devices: KEPT_TPM }) });
    const seen = watchRoot(world);
    await shutdown(world);
    expect([seen, world.root.calls]).toEqual([["tpm backup: after"], [`tpm backup ${UUID} ${DIRECTORY}`]]);
  });

  test("17.1 row 11: shutdown saves the TPM state before, when libvirt would drop it with the domain", async () => {
    using world = withVm({ xml: documentOf({ devices: TPM }) });
    const seen = watchRoot(world);
    await shutdown(world);
    expect(seen).toEqual(["tpm backup: before"]);
  });

  test("17.1 row 11: shutdown saves the TPM state also when the end took all the time there was", async () => {
    using world = withVm({ xml: documentOf({ devices: KEPT_TPM }), powersOffAfterMs: "never" }, { kvmrc: { SHUTDOWN_TIMEOUT: 10, FORCE_DESTROY: true } });
    world.hypervisor.hangs("destroy", "at once");
    expect([await outcomeOf(shutdown(world)), world.root.calls]).toEqual([{ answer: "" }, [`tpm backup ${UUID} ${DIRECTORY}`]]);
  });

  test("17.1 row 11: shutdown tells of a TPM state that could not be saved, and has shut down all the same", async () => {
    using world = withVm({ xml: documentOf({ devices: KEPT_TPM }) });
    world.root.fails("tpm backup");
    expect([await outcomeOf(shutdown(world)), world.log.lines]).toEqual([{ answer: "" }, ['ERROR: The TPM state was not saved: Cannot run "tpm backup" with sudo: scripted failure']]);
  });

  test("shutdown does not save the TPM state of a VM that goes on running", async () => {
    using world = withVm({ xml: documentOf({ devices: KEPT_TPM }), powersOffAfterMs: "never" });
    expect([await outcomeOf(shutdown(world)), world.root.calls]).toEqual([still, []]);
  });

  test("shutdown gives vGPUs back when the VM is gone, and not before", async () => {
    const files = { [`${DIRECTORY}/vm.xml`]: VM_XML_WITH_VGPU };
    using world = withVm({ xml: documentOf({ devices: VGPU }) }, { files });
    using stays = withVm({ xml: documentOf({ devices: VGPU }), powersOffAfterMs: "never" }, { files });
    await shutdown(world);
    await outcomeOf(shutdown(stays));
    expect([world.root.calls, stays.root.calls]).toEqual([[`vgpu delete ${PLAIN_DIRECTORY}/vm.xml`], []]);
  });

  test("shutdown compacts memory when that was asked for", async () => {
    using world = withVm({}, { kvmrc: { CLEANUP_MEMORY_ON_STOP: true } });
    await shutdown(world);
    expect(world.root.calls).toEqual(["compactMemory"]);
  });

  test("shutdown goes on when the document cannot be read, and tells what it leaves", async () => {
    using world = withVm();
    world.hypervisor.fails("domainXml", "BUSY");
    expect([await outcomeOf(shutdown(world)), world.log.lines]).toEqual([{ answer: "" }, [expect.stringMatching(/^WARN: The document of "one-7" cannot be read, its TPM and vGPUs are left as they are: /)]]);
  });
});
