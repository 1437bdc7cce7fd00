import { describe, expect, test } from "bun:test";
import { planMigration } from "../../../src/actions/migration-plan.ts";
import { planText } from "../../../src/migration/plan-text.ts";
import { FakeHypervisor } from "../../fakes/hypervisor.ts";
import { given } from "../../fakes/world.ts";
import { documentOf, UUID } from "../actions/document.ts";

const URI = "qemu+ssh://hostb/system";
const ARGUMENTS = { "deploy-id": UUID, "destination-host": "hostb", "source-host": "hosta", vmid: "7" };
const DISK = "<disk type='file' device='disk'><driver type='qcow2' cache='writeback'/><source file='/ds/0/7/disk.0'/><target dev='vda'/></disk>";
const message = (shared: string) => `<VMM_DRIVER_ACTION_DATA><DISK_TARGET_PATH>/ds/0/7</DISK_TARGET_PATH><VM><ID>7</ID></VM><DATASTORE><BASE_PATH>/ds/0</BASE_PATH><TEMPLATE><SHARED>${shared}</SHARED></TEMPLATE></DATASTORE></VMM_DRIVER_ACTION_DATA>`;
const world = () => given({ domains: [{ name: "one-7", uuid: UUID, xml: documentOf({ devices: DISK }) }], kvmrc: { MIGRATE_OPTIONS: ["--bandwidth", "100", "--timeout", "60"] } });

describe("onevirt vmm migrate --plan", () => {
  test("says what would be done, in order", async () => {
    using here = world();
    here.others.set(URI, new FakeHypervisor(here.clock, [], URI));
    expect(planText(await planMigration({ arguments: ARGUMENTS, stdin: message("NO") }, here)).split("\n")).toEqual([
      'Migrate "one-7" from hosta to hostb', "  libvirt there: qemu+ssh://hostb/system, called by this program", "  flags: live, non_shared_disk", "  parameters: migrate_disks = vda, bandwidth = 100",
      "  storage: not shared", "  ports there: 22, and one of 49152 to 49215 for memory and disks (unless qemu.conf there says otherwise)", "Disks:", "  vda /ds/0/7/disk.0: copied by QEMU into an image made before", "Steps:",
      "  1. note in the journal what is about to be done", "  2. make on hostb what is not there: directories, images, links", "  3. migrate, telling progress; suspend the guest after 60 s", "  4. ask both sides who runs the VM",
      "  5. if hostb does: set the clock of the guest when SYNC_TIME says so", "  6. if this host does: take back what was made; if nobody can tell: leave everything, and say what to check", "It would be done.",
    ]);
    expect([here.locks.calls, here.hypervisor.calls.filter((call) => /^(migration|destroy|undefine|snapshots.delete)/.test(call)), here.files.texts()]).toEqual([[], [], {}]);
  });

  test("gives every reason to refuse, and what else should be known", async () => {
    using here = world();
    here.others.set(URI, new FakeHypervisor(here.clock, [{ name: "one-7", uuid: UUID }], URI));
    const text = planText(await planMigration({ arguments: { ...ARGUMENTS, "source-host": "hostb" }, stdin: message("YES") }, here));
    expect(text.split("\n").slice(-5)).toEqual([
      "To be known:", '  disk vda has cache mode "writeback": libvirt refuses that unless its file system is a cluster\'s, or MIGRATE_OPTIONS has --unsafe',
      "It would be refused:", '  "hostb" is the host that the VM runs on', '  hostb has "one-7" already: libvirt reports it running',
    ]);
  });

  test("counts a destination that does not answer, and a VM that is not here, among the reasons", async () => {
    using here = world();
    expect(planText(await planMigration({ arguments: ARGUMENTS, stdin: "" }, here))).toContain("It would be refused:\n  a side does not answer: Cannot connect to qemu+ssh://hostb/system");
    using nobody = given();
    expect(planText(await planMigration({ arguments: ARGUMENTS, stdin: "" }, nobody))).toEndWith(`It would be refused:\n  this host has no domain "${UUID}"`);
  });
});
