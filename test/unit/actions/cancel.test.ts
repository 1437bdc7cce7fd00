import { describe, expect, test } from "bun:test";
import { run } from "../../../src/actions/cancel.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import type { FakeDomain } from "../../fakes/domain.ts";
import { given, type Given, type World } from "../../fakes/world.ts";
import { DIRECTORY, documentOf, KEPT_TPM, PLAIN_DIRECTORY, TPM, UUID, VGPU, VM_XML_WITH_VGPU } from "./document.ts";

const VM: FakeDomain = { name: "one-7", uuid: UUID, xml: documentOf() };
const withVm = (vm: Partial<FakeDomain> = {}, more: Given = {}): World => given({ domains: [{ ...VM, ...vm }], ...more });
const cancel = (world: World, deployId = UUID, vmid = "7") => run({ arguments: { "deploy-id": deployId, host: "h", vmid }, stdin: "" }, world);
const destroyed = (world: World) => world.hypervisor.calls.filter((call) => /^destroy/.test(call));

async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then((answer) => ({ answer }), (error: unknown) => (error instanceof OnevirtError ? [error.code, error.message] : error));
}

describe("cancel", () => {
  test.each([["running", 1], ["paused", 1], ["crashed", 0], ["pmsuspended", 0]] as const)("cancel ends a domain that is %s", async (state, reason) => {
    using world = withVm({ state, reason });
    expect([await outcomeOf(cancel(world)), destroyed(world), world.locks.calls]).toEqual([{ answer: "" }, [`destroy ${UUID}`], [`lock ${UUID} for cancel`, `unlock ${UUID}`]]);
  });

  test("cancel of a domain that is gone, or persistent and off, is done", async () => {
    using gone = given();
    using off = withVm({ persistent: true, state: "shutoff" });
    expect([await outcomeOf(cancel(gone)), await outcomeOf(cancel(off)), destroyed(off)]).toEqual([{ answer: "" }, { answer: "" }, []]);
  });

  test("cancel of a persistent domain is done when it is inactive", async () => {
    using world = withVm({ persistent: true });
    expect([await outcomeOf(cancel(world)), destroyed(world).length]).toEqual([{ answer: "" }, 1]);
  });

  test("cancel without a deploy id ends one-VMID, and without either refuses", async () => {
    using world = withVm();
    using neither = withVm();
    expect([await outcomeOf(cancel(world, "")), destroyed(world), await outcomeOf(cancel(neither, "", "")), neither.hypervisor.calls]).toEqual([
      { answer: "" }, [`destroy ${UUID}`], ["BAD_ARGUMENT", "the deploy id is empty, and no number of a VM was given"], [],
    ]);
  });

  test("cancel tries again while libvirt refuses, until its time is over", async () => {
    using world = withVm({}, { limitSeconds: 5 });
    world.hypervisor.fails("destroy", "BUSY", { times: 5 });
    expect([await outcomeOf(cancel(world)), world.clock.monotonicMs() <= 5000]).toEqual([["NOT_DONE", "it still runs: Cannot destroy: scripted BUSY"], true]);
  });

  test("cancel that finds the domain ended by itself is done", async () => {
    using world = withVm();
    world.hypervisor.next("destroy", async () => {
      world.hypervisor.end(UUID);
      throw new OnevirtError("DOMAIN_NOT_FOUND", "Cannot find domain");
    });
    expect(await outcomeOf(cancel(world))).toEqual({ answer: "" });
  });
});

describe("cancel when libvirt cannot be asked", () => {
  test.each(["LIBVIRT_UNREACHABLE", "CONNECTION_LOST", "TIMED_OUT"] as const)("17.1 row 1: cancel that meets %s is a failure, never success", async (code) => {
    using world = withVm();
    world.hypervisor.fails("find", code, { times: 6 });
    expect([((await outcomeOf(cancel(world))) as string[])[0], destroyed(world)]).toEqual(["LIBVIRT_UNREACHABLE", []]);
  });

  test("17.1 row 1: cancel gives a libvirtd that is just being restarted a few seconds", async () => {
    using world = withVm();
    world.hypervisor.fails("find", "LIBVIRT_UNREACHABLE", { times: 3 });
    expect([await outcomeOf(cancel(world)), destroyed(world).length, world.clock.monotonicMs()]).toEqual([{ answer: "" }, 1, 3000]);
  });

  test("17.1 row 1: cancel that cannot look after its destroy is outcome unknown", async () => {
    using world = withVm();
    world.hypervisor.next("destroy", async (proceed) => {
      await proceed();
      world.hypervisor.fails("find", "LIBVIRT_UNREACHABLE", { times: 51 });
    });
    expect(await outcomeOf(cancel(world))).toEqual(["OUTCOME_UNKNOWN", "it is not certain that it has ended: libvirt cannot be asked (Cannot find: scripted LIBVIRT_UNREACHABLE)"]);
  });

  test("17.1 row 1: cancel survives a restart of libvirtd between destroy and look", async () => {
    using world = withVm();
    world.hypervisor.next("destroy", async (proceed) => {
      await proceed();
      world.hypervisor.fails("find", "LIBVIRT_UNREACHABLE", { times: 5 });
    });
    expect([await outcomeOf(cancel(world)), world.clock.monotonicMs()]).toEqual([{ answer: "" }, 1000]);
  });

  test("cancel whose answer is lost looks again on a fresh connection", async () => {
    using done = withVm();
    done.hypervisor.breaks("destroy", { done: true });
    using again = withVm();
    again.hypervisor.breaks("destroy", { done: false });
    expect([await outcomeOf(cancel(done)), destroyed(done).length, await outcomeOf(cancel(again)), destroyed(again).length]).toEqual([{ answer: "" }, 1, { answer: "" }, 2]);
  });

  test("cancel whose call hangs is outcome unknown while the domain runs, and done when it is gone", async () => {
    using runs = withVm();
    runs.hypervisor.hangs("destroy");
    using gone = withVm();
    gone.hypervisor.hangs("destroy", "at once");
    expect([((await outcomeOf(cancel(runs))) as string[])[0], await outcomeOf(cancel(gone))]).toEqual(["OUTCOME_UNKNOWN", { answer: "" }]);
  });
});

describe("cancel beside other actions", () => {
  test("cancel waits for the deploy of a domain that is not there yet, and ends what it started", async () => {
    using world = given();
    const release = world.locks.hold(UUID, "one-7", "deploy");
    world.clock.after(8000, () => {
      world.hypervisor.put(VM);
      release();
    });
    expect([await outcomeOf(cancel(world, "", "7")), world.clock.monotonicMs(), destroyed(world), world.log.lines]).toEqual([
      { answer: "" }, 8000, [`destroy ${UUID}`], [expect.stringMatching(/^INFO: Waiting for the deploy of "one-7" \(process 99, since /)],
    ]);
  });

  test("cancel does not call a domain gone whose deploy does not end", async () => {
    using world = given();
    world.locks.hold(UUID, "one-7", "deploy");
    expect(((await outcomeOf(cancel(world))) as string[])[0]).toBe("BUSY");
  });

  test.each(["shutdown", "reboot", "reset"])("cancel overrides %s, which only asks the guest", async (action) => {
    using world = withVm();
    world.locks.hold(UUID, "one-7", action);
    expect([await outcomeOf(cancel(world)), world.clock.monotonicMs(), world.locks.calls, world.log.lines]).toEqual([{ answer: "" }, 0, [], [`INFO: cancel of "one-7" does not wait for "${action}" of process 99`]]);
  });

  test("cancel waits for any other action, and overrides one that comes after it", async () => {
    using world = withVm();
    const release = world.locks.hold(UUID, "one-7", "deploy");
    world.clock.after(2500, () => {
      release();
      world.locks.hold(UUID, "one-7", "shutdown");
    });
    expect([await outcomeOf(cancel(world)), world.clock.monotonicMs()]).toEqual([{ answer: "" }, 3000]);
  });
});

describe("cancel and what belongs to the VM", () => {
  test("17.1 row 11: cancel saves the TPM state after the domain has stopped when libvirt keeps it, else before", async () => {
    const order = async (devices: string) => {
      using world = withVm({ xml: documentOf({ devices }) });
      const seen: string[] = [];
      world.root.onCall = (call) => void seen.push(`${call} ${destroyed(world).length > 0 ? "after" : "before"}`);
      await cancel(world);
      return seen;
    };
    expect([await order(KEPT_TPM), await order(TPM)]).toEqual([[`tpm backup ${UUID} ${DIRECTORY} after`], [`tpm backup ${UUID} ${DIRECTORY} before`]]);
  });

  test("cancel gives vGPUs back, by the metadata that it read while there was a domain", async () => {
    using world = withVm({ xml: documentOf({ devices: VGPU }) }, { files: { [`${DIRECTORY}/vm.xml`]: VM_XML_WITH_VGPU } });
    await cancel(world);
    expect(world.root.calls).toEqual([`vgpu delete ${PLAIN_DIRECTORY}/vm.xml`]);
  });

  test("cancel tells of vGPUs that root could not give back, and is done", async () => {
    using world = withVm({ xml: documentOf({ devices: VGPU }) }, { files: { [`${DIRECTORY}/vm.xml`]: VM_XML_WITH_VGPU } });
    world.root.fails("vgpu delete");
    expect([await outcomeOf(cancel(world)), world.log.lines]).toEqual([{ answer: "" }, ['ERROR: The vGPUs of "one-7" were not given back: Cannot run "vgpu delete" with sudo: scripted failure']]);
  });
});
