import type { Finding } from "./finding.ts";
import type { TemplateView } from "./view.ts";

/** Why a value will not do; undefined when it will. */
type Rule = (value: string) => string | undefined;

const whole = (min: number, max: number): Rule => (value) => (/^\d+$/.test(value) && Number(value) >= min && Number(value) <= max ? undefined : `expected a whole number from ${min} to ${max}`);
const positive: Rule = (value) => (Number(value) > 0 ? undefined : "expected a number above 0");
const oneOf = (...allowed: readonly string[]): Rule => (value) => (value === "" || allowed.includes(value.toLowerCase()) ? undefined : `expected ${allowed.join(", ")}`);
const pattern = (expression: RegExp, description: string): Rule => (value) => (value === "" || expression.test(value) ? undefined : `expected ${description}`);
const queues: Rule = (value) => (value === "" || /^auto$/i.test(value) || /^[1-9]\d{0,3}$/.test(value) ? undefined : "expected auto or a number of queues");
const digits: Rule = (value) => (value === "" || /^\d+$/.test(value) ? undefined : "expected digits only; anything else counts as 0");
const MANY = 2 ** 31 - 1;

/** Single attributes whose values are bounded. OpenNebula refuses a template that breaks these. */
const SINGLES: Readonly<Record<string, Rule>> = {
  CPU: positive, VCPU: whole(1, 65_535), VCPU_MAX: whole(1, 65_535), MEMORY: whole(1, MANY), MEMORY_MAX: whole(1, MANY), MEMORY_SLOTS: whole(1, 255),
  MEMORY_RESIZE_MODE: oneOf("ballooning", "hotplug"),
};

/** Keys whose values are bounded; what breaks a rule is refused by OpenNebula or libvirt, or ignored. */
const KEYS: Readonly<Record<string, Rule>> = {
  "OS/SD_DISK_BUS": oneOf("scsi", "sata"),
  "OS/FIRMWARE_FORMAT": oneOf("raw", "qcow2"),
  "OS/UUID": pattern(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "a UUID"),
  "OS/BOOT": pattern(/^\s*(disk|nic)\d+(\s*,\s*(disk|nic)\d+)*\s*$/i, "a comma-separated list of disk# or nic#"),
  "FEATURES/IOTHREADS": whole(0, 1024), "FEATURES/VIRTIO_SCSI_QUEUES": queues, "FEATURES/VIRTIO_BLK_QUEUES": queues,
  "FEATURES/GIC": oneOf("2", "3", "host"), "FEATURES/PCIHOLE64": whole(0, Number.MAX_SAFE_INTEGER),
  "TOPOLOGY/PIN_POLICY": oneOf("none", "core", "thread", "shared"), "TOPOLOGY/MEMORY_ACCESS": oneOf("private", "shared"),
  "TOPOLOGY/SOCKETS": whole(1, 1024), "TOPOLOGY/CORES": whole(1, 65_535), "TOPOLOGY/THREADS": whole(1, 64), "TOPOLOGY/HUGEPAGE_SIZE": whole(1, 1_048_576),
  "DISK/CACHE": oneOf("default", "none", "writethrough", "writeback", "directsync", "unsafe"), "DISK/IO": oneOf("threads", "native", "io_uring"),
  "DISK/DISCARD": oneOf("ignore", "unmap"), "DISK/SIZE": whole(1, MANY), "DISK/VIRTIO_BLK_QUEUES": queues, "DISK/IOTHREAD": whole(1, 1024),
  "DISK/DEV_PREFIX": pattern(/^(sd|vd|hd|xvd)[a-z]*$/, "vd, sd or hd"), "DISK/TARGET": pattern(/^(sd|vd|hd|xvd)[a-z]+$/, "a name like vda, sdb or hdc"),
  "NIC/MAC": pattern(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i, "six bytes in hexadecimal"), "NIC/VIRTIO_QUEUES": queues,
  "GRAPHICS/TYPE": oneOf("vnc", "spice"), "GRAPHICS/PORT": whole(0, 65_535),
  "VIDEO/TYPE": oneOf("none", "vga", "cirrus", "virtio"), "VIDEO/VRAM": whole(1024, MANY), "VIDEO/RESOLUTION": pattern(/^\d+x\d+$/, "WIDTHxHEIGHT"),
  "INPUT/TYPE": oneOf("mouse", "tablet", "keyboard", "passthrough", "evdev"), "INPUT/BUS": oneOf("usb", "ps2", "virtio", "xen"),
  "IOMMU/MODEL": oneOf("intel", "virtio", "smmuv3", "amd"), "IOMMU/MODE": oneOf("single", "device"),
  "TPM/MODEL": oneOf("tpm-tis", "tpm-crb", "tpm-spapr"), "MEMORY_ENCRYPTION/TYPE": oneOf("sev", "sev-es"),
};

/** Keys whose wrong values do not stop the VM: they are ignored, or count as something else. */
const IGNORED: ReadonlySet<string> = new Set([
  "FEATURES/IOTHREADS", "FEATURES/VIRTIO_SCSI_QUEUES", "FEATURES/VIRTIO_BLK_QUEUES", "FEATURES/GIC", "FEATURES/PCIHOLE64", "TOPOLOGY/MEMORY_ACCESS",
  "DISK/VIRTIO_BLK_QUEUES", "DISK/IOTHREAD", "NIC/VIRTIO_QUEUES", "GRAPHICS/TYPE", "MEMORY_ENCRYPTION/TYPE", "OS/FIRMWARE_FORMAT",
]);

/** Keys that are on for YES and off for everything else. */
const SWITCHES: ReadonlySet<string> = new Set([
  ...["PAE", "ACPI", "APIC", "HYPERV", "LOCALTIME", "GUEST_AGENT", "RAS"].map((key) => `FEATURES/${key}`), "OS/FIRMWARE_SECURE", "DISK/READONLY", "DISK/SHAREABLE",
  "GRAPHICS/RANDOM_PASSWD", "VIDEO/IOMMU", "VIDEO/ATS", "PCI/IOMMU", "PCI/IOMMUFD",
]);

const THROTTLING = /^((TOTAL|READ|WRITE)_(BYTES|IOPS)_SEC(_MAX|_MAX_LENGTH)?|SIZE_IOPS_SEC)$/;

/** Values that are out of range or of the wrong kind. */
export function checkValues(view: TemplateView): readonly Finding[] {
  return view.attributes.flatMap((each): readonly Finding[] => (each.kind === "single" ? single(view, each.name, each.value) : [])).concat(
    [...new Set(view.attributes.filter(({ kind }) => kind === "vector").map(({ name }) => name))].flatMap((name) => vectors(view, name)));
}

function single(view: TemplateView, name: string, value: string): readonly Finding[] {
  const reason = Object.hasOwn(SINGLES, name) ? SINGLES[name]?.(value) : undefined;
  return reason ? [view.finding("error", name, `${name} "${value}": ${reason}`)] : [];
}

function vectors(view: TemplateView, name: string): readonly Finding[] {
  return view.vectors(name).flatMap((vector) => vector.keys.flatMap((key) => {
    const value = vector.get(key) ?? "";
    const path = `${name === "NIC_DEFAULT" ? "NIC" : name}/${key}`;
    if (SWITCHES.has(path)) return /^(yes|no|)$/i.test(value) ? [] : [vector.finding("warning", key, `${key} "${value}" means no: only YES switches it on`)];
    const throttling = name === "DISK" && THROTTLING.test(key);
    const rule = throttling ? digits : Object.hasOwn(KEYS, path) ? KEYS[path] : undefined;
    const reason = rule?.(value);
    return reason ? [vector.finding(throttling || IGNORED.has(path) ? "warning" : "error", key, `${key} "${value}": ${reason}`)] : [];
  }));
}
