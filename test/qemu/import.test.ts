import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateDomain } from "../../src/domain/generate.ts";
import { importDomain } from "../../src/domain/import/import-domain.ts";
import { instanceOf } from "../../src/domain/import/instance.ts";
import type { ImportReport } from "../../src/domain/import/report.ts";
import { domainInput } from "../../src/domain/input.ts";
import { on, syncedTree } from "../support/lab.ts";

const MINUTE = 60_000;
const ONEVIRT = "/var/tmp/one/onevirt/onevirt-$(uname -m)";
const NAME = "onevirt-test-wild";
const virsh = (line: string) => on("hosta", `virsh -c qemu:///system ${line}`);

const folder = mkdtempSync(`${tmpdir()}/onevirt-wild-`);
let tree = "";

/** A guest that nobody but virsh knows; it need not run a single instruction. */
const WILD = `<domain type='qemu'>
  <name>${NAME}</name>
  <description>somebody's "guest"</description>
  <memory unit='MiB'>128</memory>
  <vcpu>2</vcpu>
  <iothreads>1</iothreads>
  <cputune><shares>512</shares><quota>50000</quota></cputune>
  <os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/><kvm><hidden state='on'/></kvm></features>
  <cpu mode='custom' match='exact'><model fallback='forbid'>qemu64</model><topology sockets='1' cores='2' threads='1'/></cpu>
  <clock offset='utc'><timer name='hpet' present='no'/></clock>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='raw' cache='none' iothread='1'/><source file='${folder}/disk.img'/><target dev='vda' bus='virtio'/><serial>S1</serial></disk>
    <interface type='user'><mac address='52:54:00:11:22:34'/><model type='e1000'/></interface>
    <interface type='ethernet'><mac address='52:54:00:11:22:33'/><model type='virtio'/><driver queues='2'/></interface>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <input type='tablet' bus='usb'/>
    <graphics type='vnc' port='-1' listen='127.0.0.1' passwd='secret12'/>
    <video><model type='vga' vram='16384'/></video>
    <watchdog model='i6300esb' action='reset'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>`;

beforeAll(async () => {
  chmodSync(folder, 0o755);
  writeFileSync(`${folder}/disk.img`, Buffer.alloc(1024 * 1024));
  chmodSync(`${folder}/disk.img`, 0o666);
  writeFileSync(`${folder}/wild.xml`, WILD, { mode: 0o644 });
  tree = await syncedTree(["hosta"]);
  const { exitCode, stderr } = await virsh(`create --paused ${folder}/wild.xml`);
  if (exitCode !== 0) throw new Error(`virsh did not start the wild guest: ${stderr}`);
}, MINUTE);

afterAll(async () => {
  await virsh(`destroy ${NAME}`);
  for (const each of [folder, tree]) if (each !== "") rmSync(each, { recursive: true, force: true });
}, MINUTE);

describe("onevirt import of a guest that virsh started", () => {
  test("prints a template that the checker accepts, and names every difference with its reason; the display's password is in it only when somebody asks", async () => {
    const { exitCode, stdout, stderr } = await on("hosta", `${ONEVIRT} import ${NAME} --json`);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const { template, notes, differences } = JSON.parse(stdout) as ImportReport;
    expect(template).toContain("MAC = \"52:54:00:11:22:33\"");
    expect(template).toContain("<watchdog model='i6300esb' action='reset'/>");
    expect(template).not.toContain("secret12");
    expect(differences.filter(({ reason }) => reason === null)).toEqual([]);
    expect(notes.filter((each) => /^(not in the template|this will be refused|it cannot be compared)/.test(each))).toEqual([]);
    const checked = await on("hosta", `${ONEVIRT} import ${NAME} | ${ONEVIRT} template check - && ${ONEVIRT} import ${NAME} --passwords --libvirt qemu:///system | grep PASSWD`);
    expect({ exitCode: checked.exitCode, errors: checked.stdout.match(/: error: .*/g) }).toEqual({ exitCode: 0, errors: null });
    expect(checked.stdout).toContain('PASSWD = "secret12"');
  }, MINUTE);

  test("gives a VM whose domain libvirt takes, sections in RAW added to those of the generator", async () => {
    const { stdout: xml } = await virsh(`dumpxml ${NAME}`);
    const generated = generateDomain(await domainInput(instanceOf(importDomain(xml, NAME, { cgroups: 2, passwords: false }), 2))).xml;
    const renamed = generated.replace(/<name>[^<]*/, `<name>${NAME}-again`).replace(/<uuid>[^<]*<\/uuid>/, "").replace("/usr/bin/qemu-kvm-one", "/usr/bin/qemu-system-x86_64");
    writeFileSync(`${folder}/again.xml`, renamed, { mode: 0o644 });
    const { exitCode, stdout, stderr } = await virsh(`define ${folder}/again.xml >/dev/null && virsh -c qemu:///system dumpxml ${NAME}-again; virsh -c qemu:///system undefine ${NAME}-again >/dev/null`);
    expect({ exitCode, stderr: stderr.trim() }).toEqual({ exitCode: 0, stderr: "" });
    for (const part of ["<hidden state='on'/>", "<acpi/>", "<quota>50000</quota>", "<shares>", "<watchdog model='i6300esb'", "<timer name='hpet' present='no'/>", "org.qemu.guest_agent.0"]) expect(stdout).toContain(part);
  }, MINUTE);
});
