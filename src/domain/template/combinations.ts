import { parseFragment } from "../fragment.ts";
import { messageOf } from "../../core/errors.ts";
import type { Finding } from "./finding.ts";
import type { TemplateView, VectorOf } from "./view.ts";

/** One thing that attributes together get wrong. */
type Rule = (view: TemplateView) => readonly (Finding | false | undefined)[];

/** What OpenNebula or libvirt will refuse, or silently do otherwise, because of several attributes together. */
export function checkCombinations(view: TemplateView): readonly Finding[] {
  return [capacity, memory, topology, firmware, processor, platform, disks, interfaces, graphics, fragments, ineffective].flatMap((rule) => rule(view)).filter((each) => typeof each === "object");
}

const capacity: Rule = (view) => {
  const [vcpu, max, cpu] = [view.single("VCPU"), view.single("VCPU_MAX"), view.single("CPU")].map(Number);
  return [
    view.single("CPU") === undefined && view.finding("error", "CPU", "CPU is missing"),
    view.single("MEMORY") === undefined && view.finding("error", "MEMORY", "MEMORY is missing"),
    (vcpu ?? 0) > (max ?? Infinity) && view.finding("error", "VCPU_MAX", `VCPU_MAX ${max} is less than VCPU ${vcpu}`),
    (cpu ?? 1) > 0 && (cpu ?? 1) <= 0.01 && view.finding("warning", "CPU", `CPU ${cpu} gives weight 1 on a host with cgroups version 2, which libvirt refuses`),
  ];
};

const memory: Rule = (view) => {
  const [memory, max] = [Number(view.single("MEMORY")), Number(view.single("MEMORY_MAX"))];
  const hotplug = view.single("MEMORY_RESIZE_MODE")?.toUpperCase() === "HOTPLUG";
  return [
    max <= memory && view.finding("warning", "MEMORY_MAX", "MEMORY_MAX is not more than MEMORY and has no effect"),
    hotplug && view.vectors("TOPOLOGY").length > 0 && view.finding("warning", "MEMORY_RESIZE_MODE", "HOTPLUG has no effect on a VM with TOPOLOGY: its memory cannot grow"),
  ];
};

const topology: Rule = (view) => {
  const own = view.vectors("TOPOLOGY")[0];
  if (!own) return [];
  const parts = ["SOCKETS", "CORES", "THREADS"].map((key) => own.get(key));
  const product = parts.reduce((sum, part) => sum * Number(part ?? 1), 1);
  const pinned = !["", "NONE"].includes(own.get("PIN_POLICY")?.toUpperCase() ?? "");
  return [
    view.single("VCPU_MAX") !== undefined && view.finding("error", "VCPU_MAX", "VCPU_MAX and TOPOLOGY exclude each other"),
    !pinned && parts.every((part) => part !== undefined) && product !== Number(view.single("VCPU") ?? 1) && own.finding("error", "SOCKETS", `SOCKETS × CORES × THREADS is ${product}, VCPU is ${view.single("VCPU") ?? 1}`),
  ];
};

const firmware: Rule = (view) => {
  const os = view.vectors("OS")[0];
  if (!os) return [];
  const path = os.get("FIRMWARE") ?? "";
  const isPath = !["", "BIOS", "UEFI"].includes(path.toUpperCase());
  return [
    isPath && !path.startsWith("/") && os.finding("error", "FIRMWARE", `FIRMWARE "${path}" is neither BIOS, UEFI nor the path of an image`),
    os.is("FIRMWARE_SECURE", "YES") && path.toUpperCase() !== "UEFI" && !isPath && os.finding("warning", "FIRMWARE_SECURE", "FIRMWARE_SECURE without a UEFI firmware only switches SMM on"),
    !os.get("KERNEL") && !os.get("KERNEL_DS") && ["INITRD", "INITRD_DS", "ROOT", "KERNEL_CMD"].some((key) => os.get(key)) && os.finding("warning", "KERNEL", "INITRD, ROOT and KERNEL_CMD have no effect without a kernel"),
  ];
};

const processor: Rule = (view) => {
  const model = view.vectors("CPU_MODEL")[0];
  const mode = ["host-model", "maximum"].includes(model?.get("MODEL") ?? "");
  return [
    mode && model?.finding("warning", "MODEL", `MODEL "${model.get("MODEL")}" is written as the name of a model by OpenNebula itself, and then cannot start; onevirt writes it as a mode when it generates the domain`),
    model && !model.get("MODEL") && model.get("FEATURES") !== undefined && model.finding("warning", "FEATURES", "FEATURES have no effect without MODEL"),
  ];
};

const platform: Rule = (view) => {
  const arch = view.key("OS", "ARCH") ?? "x86_64";
  const machine = view.key("OS", "MACHINE") ?? "q35";
  const features = view.vectors("FEATURES")[0];
  const iommu = view.vectors("IOMMU")[0];
  const arm = arch === "aarch64";
  return [
    !arm && features?.get("GIC") ? features.finding("error", "GIC", `libvirt refuses GIC on ${arch}: it belongs to ARM`) : undefined,
    !arm && features?.is("RAS", "YES") ? features.finding("error", "RAS", `libvirt refuses RAS on ${arch}: it belongs to ARM`) : undefined,
    iommu && !/q35|virt/.test(machine) && iommu.finding("error", "", `IOMMU needs a q35 or virt machine, not "${machine}"`),
    iommu?.is("MODEL", "SMMUV3") && !arm && iommu.finding("error", "MODEL", "smmuv3 needs ARCH aarch64"),
    iommu?.is("MODEL", "VIRTIO") && iommu.get("OPTIONS") ? iommu.finding("error", "OPTIONS", "libvirt refuses options of a virtio IOMMU") : undefined,
    machine === "" && view.finding("warning", "OS", "an empty MACHINE is replaced by the default at creation"),
  ];
};

const disks: Rule = (view) => view.vectors("DISK").flatMap((disk) => {
  const name = disk.get("TARGET") ?? disk.get("DEV_PREFIX") ?? "";
  const q35 = /q35|virt/.test(view.key("OS", "MACHINE") ?? "q35");
  const sata = (name.startsWith("hd") && q35) || (name.startsWith("sd") && view.key("OS", "SD_DISK_BUS") === "sata");
  const cdrom = disk.get("TYPE")?.endsWith("CDROM");
  return [
    sata && !cdrom && disk.is("READONLY", "YES") && disk.finding("error", "READONLY", "libvirt refuses READONLY on SATA: use the prefix vd, or sd on SCSI"),
    disk.is("TYPE", "FILESYSTEM") && disk.is("READONLY", "YES") && disk.finding("error", "READONLY", "libvirt refuses READONLY on a shared directory"),
    disk.is("IO", "NATIVE") && !["NONE", "DIRECTSYNC"].includes(disk.get("CACHE")?.toUpperCase() ?? "NONE") && disk.finding("error", "IO", "IO native needs CACHE none or directsync"),
    disk.get("SHAREABLE") !== undefined && disk.is("SHAREABLE", "YES") && disk.get("SHAREABLE") !== "YES" && disk.finding("warning", "SHAREABLE", "SHAREABLE counts only in upper case"),
    disk.get("IMAGE") === undefined && disk.get("IMAGE_ID") === undefined && !["FS", "SWAP"].includes(disk.get("TYPE")?.toUpperCase() ?? "") && disk.finding("error", "", "a DISK needs IMAGE or IMAGE_ID, or TYPE fs or swap"),
    ...rates(disk),
  ];
});

/** A limit on the total hides those on reads and writes; a maximum must exceed its rate. */
function rates(disk: VectorOf): readonly (Finding | false)[] {
  return ["BYTES", "IOPS"].flatMap((what) => {
    const total = disk.get(`TOTAL_${what}_SEC`) || disk.get(`TOTAL_${what}_SEC_MAX`);
    return ["READ", "WRITE", "TOTAL"].map((who) => {
      const [rate, max] = [disk.get(`${who}_${what}_SEC`), disk.get(`${who}_${what}_SEC_MAX`)];
      if (who !== "TOTAL" && total && (rate || max)) return disk.finding("warning", `${who}_${what}_SEC`, `a limit on the total hides that on ${who.toLowerCase()}s`);
      return Boolean(max) && Number(max) <= Number(rate || 0) && disk.finding("warning", `${who}_${what}_SEC_MAX`, "the maximum is not more than the rate and has no effect");
    });
  });
}

const interfaces: Rule = (view) => view.vectors("NIC").flatMap((nic) => [
  ...["INBOUND", "OUTBOUND"].map((way) => !nic.get(`${way}_AVG_BW`) && Boolean(nic.get(`${way}_PEAK_BW`) || nic.get(`${way}_PEAK_KB`)) && nic.finding("error", `${way}_PEAK_BW`, `libvirt refuses a bandwidth without average: set ${way}_AVG_BW`)),
  Boolean(nic.get("MODEL")) && nic.get("MODEL") !== "virtio" && nic.get("MODEL")?.toLowerCase() === "virtio" && nic.finding("warning", "MODEL", "virtio queues are written only for MODEL virtio in lower case"),
]);

const graphics: Rule = (view) => view.vectors("GRAPHICS").flatMap((own) => [
  own.keys.length === 0 && own.finding("warning", "", "an empty GRAPHICS is lost when the VM is stored: name at least its TYPE"),
  own.is("TYPE", "VNC") && (own.get("PASSWD")?.length ?? 0) > 8 && own.finding("warning", "PASSWD", "VNC uses only the first 8 characters of a password"),
]);

const fragments: Rule = (view) => view.vectors("RAW").flatMap((raw, index) => {
  const data = raw.get("DATA") ?? "";
  const broken = unreadable(data);
  return [
    broken !== undefined && raw.finding("error", "DATA", `DATA is not well-formed: ${broken}`),
    (data.match(/<devices[\s>]/g)?.length ?? 0) > 1 && raw.finding("error", "DATA", "OpenNebula refuses two <devices> in one RAW: put them together"),
    raw.is("TYPE", "QEMU") && raw.finding("warning", "TYPE", "RAW of TYPE qemu is checked and then dropped: use TYPE kvm"),
    index > 0 && raw.finding("advice", "", "OpenNebula checks only the first RAW"),
  ];
});

function unreadable(data: string): string | undefined {
  try {
    parseFragment(data, "DATA");
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

const ineffective: Rule = (view) => [
  ...["HYPERV_TIMERS", "MEMORY_TUNE_OFFSET"].map((name) => view.single(name) !== undefined && view.finding("warning", name, `${name} of a VM has no effect: set it on the host, in the cluster or in the driver defaults`)),
  view.vectors("FEATURES")[0]?.is("LOCALTIME", "YES") && !view.vectors("FEATURES")[0]?.is("HYPERV", "YES") && view.vectors("FEATURES")[0]?.finding("advice", "LOCALTIME", "LOCALTIME alone also brings the timers made for Hyper-V"),
  ...["FEATURES", "OS", "GRAPHICS", "VIDEO", "CPU_MODEL", "TOPOLOGY", "INPUT", "IOMMU", "TPM", "CONTEXT"].map((name) => view.vectors(name)[1]?.finding("warning", "", `only the first ${name} counts`)),
];
