import { describe, expect, test } from "bun:test";
import { parseXml } from "../../../src/codec/xml.ts";
import { planDisks, readDisks, sentFor } from "../../../src/migration/disks.ts";
import { FakeFiles } from "../../fakes/files.ts";

const DISKS = `<domain><devices>
  <disk type='file' device='disk'><driver type='qcow2' cache='none'/><source file='/ds/0/7/disk.0'/><backingStore/><target dev='vda'/></disk>
  <disk type='file' device='cdrom'><driver type='raw'/><source file='/ds/0/7/disk.1'/><target dev='hda'/><readonly/></disk>
  <disk type='file' device='cdrom'><target dev='hdb'/><readonly/></disk>
  <disk type='network' device='disk'><source protocol='rbd' name='one/one-3'/><target dev='vdb'/></disk>
  <disk type='block' device='disk'><source dev='/dev/vg-one-0/lv'/><target dev='vdc'/></disk>
  <disk type='file' device='disk'><driver type='qcow2'/><source file='/ds/0/7/disk.4.snap/2'/><backingStore><source file='/ds/0/7/disk.4.snap/1'/></backingStore><target dev='vdd'/></disk>
  <disk type='file' device='disk'><driver type='raw'/><source file='/ds/0/7/disk.5'/><target dev='vde'/></disk>
  <disk type='file' device='disk'><driver type='qcow2'/><source file='/ds/0/7/disk.6'/><target dev='vdf'/></disk>
  <disk type='file' device='disk'><driver type='qcow2'/><source file='/ds/0/7/disk.8'/><backingStore><source file='/base'/></backingStore><target dev='vdg'/></disk>
</devices></domain>`;
const files = new FakeFiles({ "/ds/0/7/disk.0": "x", "/ds/0/7/disk.5": { link: "/dev/vg-one-0/lv-one-7-5" }, "/ds/0/7/disk.6": { link: "disk.6.snap/0" } });
const plan = (shared: boolean) => Object.fromEntries(planDisks(readDisks(parseXml(DISKS, "it")), shared, files).map(({ disk, plan: each }) => [disk.target, each]));

describe("disks of a migration", () => {
  test("of a shared datastore need nothing", () => {
    expect(new Set(Object.values(plan(true)).map(({ need }) => need))).toEqual(new Set(["nothing"]));
  });

  test("that are not shared: images are copied by QEMU, read-only files sent, network disks and empty drives left alone (7.12 defect 7)", () => {
    expect(plan(false)).toEqual({
      vda: { need: "copy", make: "image" }, hda: { need: "send" }, hdb: { need: "nothing", because: "the drive is empty" }, vdb: { need: "nothing", because: "it is a network disk" },
      vdc: { need: "nothing", because: "it is a block device, which the storage shows to both hosts" }, vdd: { need: "copy", make: "sent" },
      vde: { need: "nothing", because: "it is a link to /dev/vg-one-0/lv-one-7-5, storage that both hosts see" }, vdf: { need: "copy", make: "sent" }, vdg: { need: "copy", make: "sent" },
    });
  });

  test("that stand on other files are sent with their directory", () => {
    expect([sentFor("/ds//0/7/disk.4.snap/2"), sentFor("/ds/0/7/disk.8")]).toEqual(["/ds/0/7/disk.4.snap", "/ds/0/7/disk.8"]);
  });
});
