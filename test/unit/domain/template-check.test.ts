import { describe, expect, test } from "bun:test";
import { parseTemplate } from "../../../src/codec/template.ts";
import { checkTemplate } from "../../../src/domain/template/check.ts";

const BASE = `CPU = 1\nMEMORY = 512\n`;
const check = (text: string) => checkTemplate(parseTemplate(BASE + text, "t")).map(({ severity, attribute, message }) => `${severity} ${attribute}: ${message}`);

describe("checkTemplate()", () => {
  test("has nothing to say about a good template", () =>
    expect(check(`NAME = "web"\nVCPU = 2\nOS = [ ARCH = "x86_64", BOOT = "disk0,nic0" ]\nDISK = [ IMAGE = "a", DEV_PREFIX = "vd", CACHE = "none" ]\nNIC = [ NETWORK = "n", MODEL = "virtio" ]
      GRAPHICS = [ TYPE = "VNC", LISTEN = "0.0.0.0" ]\nCONTEXT = [ ANYTHING = "x" ]\nFEATURES = [ ACPI = "yes" ]\nSCHED_REQUIREMENTS = "x"`)).toEqual([]));

  test.each([
    [`MEMROY_MAX = 5`, "warning MEMROY_MAX: MEMROY_MAX is not known: MEMORY_MAX?"],
    [`MY_TEAM = "a"`, "advice MY_TEAM: MY_TEAM is not known to OpenNebula and stays as an attribute of your own"],
    [`OS = [ MACHIEN = "q35" ]`, "warning OS/MACHIEN: OS knows no MACHIEN: MACHINE?"],
    [`NIC = [ NETWORK = "n", MODE = "virtio" ]`, "warning NIC/MODE: NIC knows no MODE: MODEL?"],
    [`GRAPHICS = "vnc"`, "warning GRAPHICS: GRAPHICS must be a vector: GRAPHICS = [ … ]"],
    [`VCPU = 0`, `error VCPU: VCPU "0": expected a whole number from 1 to 65535`],
    [`DISK = [ IMAGE = "a", CACHE = "fast" ]`, `error DISK/CACHE: CACHE "fast": expected default, none, writethrough, writeback, directsync, unsafe`],
    [`DISK = [ IMAGE = "a", READ_BYTES_SEC = "10M" ]`, `warning DISK/READ_BYTES_SEC: READ_BYTES_SEC "10M": expected digits only; anything else counts as 0`],
    [`FEATURES = [ ACPI = "true" ]`, `warning FEATURES/ACPI: ACPI "true" means no: only YES switches it on`],
    [`OS = [ BOOT = "hd,network" ]`, `error OS/BOOT: BOOT "hd,network": expected a comma-separated list of disk# or nic#`],
    [`DISK = [ IMAGE = "a", DEV_PREFIX = "sd", READONLY = "YES" ]\nOS = [ SD_DISK_BUS = "sata" ]`, "error DISK/READONLY: libvirt refuses READONLY on SATA: use the prefix vd, or sd on SCSI"],
    [`NIC = [ NETWORK = "n", INBOUND_PEAK_BW = "5" ]`, "error NIC/INBOUND_PEAK_BW: libvirt refuses a bandwidth without average: set INBOUND_AVG_BW"],
    [`RAW = [ TYPE = "kvm", DATA = "<a>" ]`, "error RAW/DATA: DATA is not well-formed: Cannot read DATA: Expected closing tag </a> but found </fragment>"],
    [`RAW = [ TYPE = "qemu", DATA = "<a/>" ]`, "warning RAW/TYPE: RAW of TYPE qemu is checked and then dropped: use TYPE kvm"],
    [`IOMMU = [ MODEL = "virtio", MODE = "single", OPTIONS = "eim=on" ]`, "error IOMMU/OPTIONS: libvirt refuses options of a virtio IOMMU"],
    [`CPU_MODEL = [ FEATURES = "vmx" ]`, "warning CPU_MODEL/FEATURES: FEATURES have no effect without MODEL"],
    [`GRAPHICS = [ ]`, "warning GRAPHICS: an empty GRAPHICS is lost when the VM is stored: name at least its TYPE"],
    [`DISK = [ IMAGE = "a", DEV_PREFIX = "hd" ]`, `advice DISK/DEV_PREFIX: "hd" is an emulated controller: vd (virtio) or sd (virtio-scsi) is much faster and can be plugged in`],
    [`DISK = [ IMAGE = "a", CACHE = "writeback" ]`, `advice DISK/CACHE: CACHE "writeback" makes live migration unsafe: libvirt refuses it unless MIGRATE_OPTIONS=--unsafe is set; none is safe`],
    [`NIC = [ NETWORK = "n", MODEL = "e1000" ]`, `advice NIC/MODEL: MODEL "e1000" is emulated hardware: virtio is much faster`],
    [`TOPOLOGY = [ SOCKETS = 2, CORES = 2, THREADS = 1 ]\nVCPU = 2`, "error TOPOLOGY/SOCKETS: SOCKETS × CORES × THREADS is 4, VCPU is 2"],
    [`MEMORY_MAX = 512`, "warning MEMORY_MAX: MEMORY_MAX is not more than MEMORY and has no effect"],
  ])("%s", (text, finding) => expect(check(text)).toEqual([finding]));

  test("counts vectors of one name and keeps places", () =>
    expect(checkTemplate(parseTemplate(`${BASE}NIC = [ NETWORK = "a" ]\nNIC = [ NETWORK = "b",\n  MODEL = "ne2k" ]`, "t"))).toEqual([
      { severity: "advice", attribute: "NIC[2]/MODEL", message: `MODEL "ne2k" is emulated hardware: virtio is much faster`, at: { line: 5, column: 3 } },
    ]));
});
