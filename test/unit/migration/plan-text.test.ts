import { describe, expect, test } from "bun:test";
import { planMigration } from "../../../src/actions/migration-plan.ts";
import { planText } from "../../../src/migration/plan-text.ts";
import { FakeHypervisor } from "../../fakes/hypervisor.ts";
import { given } from "../../fakes/world.ts";
import { documentOf, UUID } from "../actions/document.ts";
import { namesItself } from "./named-host.ts";

const URI = "qemu+ssh://hostb/system";
const ARGUMENTS = { "deploy-id": UUID, "destination-host": "hostb", "source-host": "hosta", vmid: "7" };
const DISK = "<disk type='file' device='disk'><driver type='qcow2' cache='writeback'/><source file='/ds/0/7/disk.0'/><target dev='vda'/></disk>";
const message = (shared: string) => `<VMM_DRIVER_ACTION_DATA><DISK_TARGET_PATH>/ds/0/7</DISK_TARGET_PATH><VM><ID>7</ID></VM><DATASTORE><BASE_PATH>/ds/0</BASE_PATH><TEMPLATE><SHARED>${shared}</SHARED></TEMPLATE></DATASTORE></VMM_DRIVER_ACTION_DATA>`;
const world = () => given({ domains: [{ name: "one-7", uuid: UUID, xml: documentOf({ devices: DISK }) }], kvmrc: { MIGRATE_OPTIONS: ["--bandwidth", "100", "--timeout", "60"] } });

describe("onevirt vmm migrate --plan", () => {
  test("says what would be done, in order", async () => {
    using here = world();
    const there = new FakeHypervisor(here.clock, [], URI);
    here.others.set(URI, there);
    namesItself(here, there, "hostb.lan");
    expect(planText(await planMigration({ arguments: ARGUMENTS, stdin: message("NO") }, here)).split("\n")).toEqual([
      'Migrate "one-7" from hosta to hostb', "  libvirt there: qemu+ssh://hostb/system, called by this program", "  flags: live, non_shared_disk", "  parameters: migrate_disks = vda, bandwidth = 100",
      "  storage: not shared", "  memory goes to: hostb.lan, here 10.0.0.2 (unless qemu.conf there has migration_host)", "  ports there: 22, and one of 49152 to 49215 for memory and disks (unless qemu.conf there says otherwise)",
      "  not checked: whether a firewall lets these ports through, for nobody listens on them before", "Disks:", "  vda /ds/0/7/disk.0: copied by QEMU into an image made before", "Steps:",
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

  test("says where the memory goes: an address that is given, libvirt's connection, or a name that cannot be checked", async () => {
    const line = async (prepare: (here: ReturnType<typeof world>, there: FakeHypervisor) => void, ...options: string[]) => {
      using here = given({ domains: [{ name: "one-7", uuid: UUID, xml: documentOf() }], kvmrc: { MIGRATE_OPTIONS: options } });
      const there = new FakeHypervisor(here.clock, [], URI);
      here.others.set(URI, there);
      prepare(here, there);
      const text = planText(await planMigration({ arguments: ARGUMENTS, stdin: "" }, here));
      return [/memory goes to: (.*)/.exec(text)?.[1], text.includes("It would be done.")];
    };
    expect(await line(() => undefined, "--migrateuri", "tcp://10.0.0.9")).toEqual(["tcp://10.0.0.9, not checked", true]);
    expect(await line(() => undefined, "--p2p", "--tunnelled")).toEqual(["libvirt there, through its own connection", true]);
    expect(await line((_here, there) => void there.fails("node.hostname", "LIBVIRT_FAILED"))).toEqual(["the name that the destination gives itself, not checked: Cannot node.hostname: scripted LIBVIRT_FAILED", true]);
    expect(await line((here, there) => namesItself(here, there, "hostb", []))).toEqual(["hostb, which this host does not know (unless qemu.conf there has migration_host)", false]);
  });
});

describe("onevirt vmm migrate --plan of a change of datastore", () => {
  const SAME = { ...ARGUMENTS, "destination-host": "hosta" };
  const change = message("YES").replace("<DISK_TARGET_PATH>/ds/0/7", "<DISK_TARGET_PATH>/ds/100/7");
  const planOf = async (devices: string, os = "", prepare: (here: ReturnType<typeof world>) => void = () => undefined) => {
    using here = given({ domains: [{ name: "one-7", uuid: UUID, xml: documentOf({ devices, os }) }] });
    prepare(here);
    const text = planText(await planMigration({ arguments: SAME, stdin: change }, here));
    expect([here.locks.calls, here.commands.calls, here.files.calls]).toEqual([[], [], []]);
    return text.split("\n");
  };

  test("says which disks move, in order, and asks no other host", async () => {
    const medium = "<disk type='file' device='cdrom'><driver type='raw'/><source file='/ds/0/7/disk.1'/><target dev='hda'/><readonly/></disk>";
    expect(await planOf(DISK + medium + "<disk type='file' device='cdrom'><target dev='hdb'/></disk>", "<nvram>/ds/0/7/one-7_VARS.fd</nvram>")).toEqual([
      'Change the datastore of "one-7" on hosta: no other host takes part', "  from: /ds/0/7", "  to: /ds/100/7", "Disks:",
      "  vda: /ds/0/7/disk.0 copied by QEMU to /ds/100/7/disk.0, and used there from then on", "  hda: /ds/0/7/disk.1 copied to /ds/100/7/disk.1 and put into the drive, nobody writes it", "  hdb: stays where it is: no file of the old directory", "Steps:",
      "  1. copy documents, links and directories of disk snapshots to /ds/100/7", "  2. move one disk after the other: vda, hda", "  3. copy the UEFI variables to /ds/100/7/one-7_VARS.fd", "  4. note the new directory in the metadata of the running VM",
      "  5. if a disk fails: let the guest use the old images again, one by one; what it uses is never removed",
      "To be known:", "  its UEFI variables are copied as they are now; QEMU goes on with /ds/0/7/one-7_VARS.fd until the VM is started again, and what the guest changes in them until then is not in the copy", "It would be done.",
    ]);
  });

  test("gives every reason to refuse that the action has", async () => {
    const block = "<disk type='block' device='disk'><source dev='/dev/vg-one-0/lv'/><target dev='vdb'/></disk>";
    const lines = await planOf(DISK + block, "<nvram format='qcow2'>/ds/0/7/one-7_VARS.fd</nvram>", (here) => void here.hypervisor.parts.known.set("snap-0", "<domainsnapshot/>"));
    expect(lines.slice(lines.indexOf("It would be refused:"))).toEqual([
      "It would be refused:", "  disk vdb: it is the block device /dev/vg-one-0/lv: only files change their datastore while the VM runs",
      "  its UEFI variables /ds/0/7/one-7_VARS.fd are a qcow2 image, which only QEMU could copy while the VM runs, and QEMU copies disks only: migrate with the VM off",
      "  it has system snapshots (snap-0) inside images that would be copied, and the copies would be without them: delete them, or migrate with the VM off",
    ]);
  });

  test("counts a VM that is off, or not here, among the reasons", async () => {
    expect((await planOf(DISK, "", (here) => here.hypervisor.become(UUID, "shutoff"))).slice(-2)).toEqual(["It would be refused:", '  "one-7" is not running']);
    using nobody = given();
    expect(planText(await planMigration({ arguments: SAME, stdin: change }, nobody))).toEndWith(`It would be refused:\n  this host has no domain "${UUID}"`);
  });
});
