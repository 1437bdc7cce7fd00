import { describe, expect, test } from "bun:test";
import { parseXml } from "../../../src/codec/xml.ts";
import { diffDomains } from "../../../src/domain/diff.ts";

const diff = (a: string, b: string) => diffDomains(parseXml(a, "a"), parseXml(b, "b"));

const OURS = `<domain type='kvm'><name>one-7</name><memory>1048576</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file'><source file='/b'/><target dev='vdb'/></disk>
    <hostdev mode='subsystem' type='pci'><source><address domain='0x0000' bus='0x41' slot='0x00' function='0x4'/></source><address type='pci' domain='0x0000' slot='0x00' function='0x0' bus='4'/></hostdev>
    <graphics type='vnc' port='5900' passwd='x'/></devices><features/><devices><channel type='unix'><target name='agent'/></channel>
  <interface type='bridge'><mac address='02:00'/><driver name='vhost' queues='1'/></interface></devices></domain>`;

/** What libvirt makes of it: completed, in another order, with other spellings. */
const RUNNING = `<domain type='kvm' id='3'><name>one-7</name><uuid>u</uuid><memory unit='KiB'>1048576</memory><currentMemory unit='KiB'>1048576</currentMemory>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><features/><on_crash>destroy</on_crash>
  <devices><disk type='file' device='disk'><target dev='vdb' bus='scsi'/><source file='/b' index='1'/><alias name='x'/></disk>
    <disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/><backingStore/></disk><controller type='usb' index='0'/>
    <channel type='unix'><target type='virtio' name='agent' state='connected'/></channel><graphics type='vnc' port='5900' listen='0.0.0.0'><listen type='address'/></graphics>
    <hostdev mode='subsystem' type='pci'><driver name='vfio'/><source><address domain='0x0000' bus='0x41' slot='0x00' function='0x4'/></source><address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/></hostdev>
    <interface type='bridge'><mac address='02:00'/><driver name='vhost'/></interface><memballoon model='virtio'/></devices></domain>`;

describe("diffDomains()", () => {
  test("finds nothing between a document and what libvirt makes of it, in both directions", () => expect([diff(OURS, RUNNING), diff(RUNNING, OURS)]).toEqual([[], []]));

  test("names the path of a changed value", () =>
    expect(diff(OURS, RUNNING.replace("/a'", "/c'"))).toEqual([{ kind: "changed", xpath: "/domain/devices/disk[target/@dev='vda']/source/@file", a: "/a", b: "/c" }]));

  test("reports a device that somebody plugged in or out", () => {
    expect(diff(OURS, RUNNING.replace("dev='vdb'", "dev='vdc'")).map(({ kind, xpath }) => [kind, xpath])).toEqual([["only-in-a", "/domain/devices/disk[target/@dev='vdb']"], ["only-in-b", "/domain/devices/disk[target/@dev='vdc']"]]);
  });

  test("compares sizes whatever their units", () => {
    expect(diff("<domain><memory>1048576</memory></domain>", "<domain><memory unit='GiB'>1</memory></domain>")).toEqual([]);
    expect(diff("<domain><memory>1048576</memory></domain>", "<domain><memory unit='GiB'>2</memory></domain>")).toHaveLength(1);
  });

  test("ignores order, white space and several <devices> between two documents of the same kind, and nothing else", () => {
    expect(diff("<domain><a/><devices><b/></devices><devices> <c x='1'/></devices></domain>", "<domain><devices><c x='1'/><b/></devices><a/></domain>")).toEqual([]);
    expect(diff("<domain><a/></domain>", "<domain><a x='1'/><on_crash/></domain>").map(({ kind, xpath }) => [kind, xpath])).toEqual([["only-in-b", "/domain/a/@x"], ["only-in-b", "/domain/on_crash"]]);
  });

  test("tells machines of different kinds apart", () => expect(diff(OURS, RUNNING.replace("pc-q35-7.2", "pc-i440fx-7.2")).map(({ xpath }) => xpath)).toEqual(["/domain/os/type/@machine"]));
});
