import { describe, expect, test } from "bun:test";
import type { ActionRun } from "../../../src/actions/action.ts";
import { run as attachDisk } from "../../../src/actions/attach-disk.ts";
import { run as attachNic } from "../../../src/actions/attach-nic.ts";
import { run as detachDisk } from "../../../src/actions/detach-disk.ts";
import { run as detachNic } from "../../../src/actions/detach-nic.ts";
import { run as prereconfigure } from "../../../src/actions/prereconfigure.ts";
import { run as reconfigure } from "../../../src/actions/reconfigure.ts";
import { run as resize } from "../../../src/actions/resize.ts";
import { run as resizeDisk } from "../../../src/actions/resize-disk.ts";
import { given } from "../../fakes/world.ts";
import { UUID } from "./document.ts";
import { CDROM, disk, go, NIC, nic, PATH, pci, running, template, VDB } from "./hot-vm.ts";

/** Every action that changes a device, with a VM for which it has something to do. */
const CASES: readonly [name: string, run: ActionRun, args: Readonly<Record<string, string>>, stdin: string, devices: string][] = [
  ["attach_disk", attachDisk, { "disk-path": PATH, target: "vdb" }, disk({}), ""],
  ["detach_disk", detachDisk, { "disk-path": PATH, target: "vdb" }, "", VDB],
  ["attach_nic", attachNic, {}, nic({ MAC: "02:00:0a:00:00:05", BRIDGE: "b" }), ""],
  ["attach_nic", attachNic, {}, pci({ DOMAIN: "0000", BUS: "3b", SLOT: "00", FUNCTION: "0" }), ""],
  ["detach_nic", detachNic, { mac: "02:00:0a:00:00:05" }, "", NIC],
  ["resize", resize, {}, template("<MEMORY>2048</MEMORY><VCPU>2</VCPU><RESIZE><MEMORY>1024</MEMORY><VCPU>1</VCPU></RESIZE>"), ""],
  ["resize_disk", resizeDisk, { "disk-id": "1", size: "10" }, disk({ TARGET: "vdb" }), VDB],
  ["prereconfigure", prereconfigure, { target: "hda" }, "", CDROM("<source file='/x'/>")],
  ["reconfigure", reconfigure, { target: "hda", "context-path": PATH }, "", CDROM("")],
];

describe("what all hotplug actions have in common", () => {
  test.each(CASES)("%s changes something, starts no process and lets its lock go", async (_name, run, args, stdin, devices) => {
    using world = running({ devices });
    expect(await go(run, world, args, stdin)).toEqual({ answer: "" });
    expect([world.hypervisor.calls.some((call) => call.startsWith("devices.")), world.commands.calls, world.locks.holders()]).toEqual([true, [], []]);
  });

  test.each(CASES)("%s waits for another action on the VM, and changes nothing while that runs", async (_name, run, args, stdin, devices) => {
    using world = running({ devices, limitSeconds: 5 });
    world.locks.hold(UUID, "one-7", "migrate");
    expect([((await go(run, world, args, stdin)) as string[])[0], world.hypervisor.calls.filter((call) => call.startsWith("devices."))]).toEqual(["BUSY", []]);
  });

  test.each(CASES)("17.1 row 1: %s does not take an unreachable libvirt for a VM that is off", async (_name, run, args, stdin, devices) => {
    using world = running({ devices });
    world.hypervisor.fails("find", "LIBVIRT_UNREACHABLE");
    expect(((await go(run, world, args, stdin)) as string[])[0]).toBe("LIBVIRT_UNREACHABLE");
  });

  test.each(CASES)("%s of a VM that does not run is an error; of one that is gone too, but for the NIC, which is gone with it", async (name, run, args, stdin) => {
    using gone = given();
    using off = given({ domains: [{ name: "one-7", uuid: UUID, state: "shutoff", persistent: true }] });
    expect(await go(run, off, args, stdin)).toEqual(["INVALID_STATE", '"one-7" is not running']);
    expect(await go(run, gone, args, stdin)).toEqual(name === "detach_nic" ? { answer: "" } : ["DOMAIN_NOT_FOUND", `there is no domain "${UUID}" on fake:///default`]);
  });

  test.each(CASES)("%s finds its VM by name and by number, as virsh does", async (_name, run, args, stdin, devices) => {
    using named = running({ devices });
    using numbered = running({ devices });
    expect([await go(run, named, { ...args, "deploy-id": "one-7" }, stdin), await go(run, numbered, { ...args, "deploy-id": "1" }, stdin)]).toEqual([{ answer: "" }, { answer: "" }]);
  });
});
