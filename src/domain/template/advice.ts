import type { Finding } from "./finding.ts";
import type { TemplateView } from "./view.ts";

/** What works, but not as fast, as safe or as movable as it could. */
export function checkPerformance(view: TemplateView): readonly Finding[] {
  return [...disks(view), ...interfaces(view), ...machine(view)].filter((each) => typeof each === "object");
}

type Maybe = Finding | false | undefined;

/** Caches of the host that two hosts do not share. */
const UNSAFE_CACHES = ["default", "writethrough", "writeback", "unsafe"];

function disks(view: TemplateView): readonly Maybe[] {
  return view.vectors("DISK").flatMap((disk) => {
    const name = disk.get("TARGET") ?? disk.get("DEV_PREFIX") ?? "";
    const key = disk.get("TARGET") === undefined ? "DEV_PREFIX" : "TARGET";
    const cache = disk.get("CACHE")?.toLowerCase() ?? "";
    return [
      /^(hd|xvd)/.test(name) && !disk.get("TYPE")?.endsWith("CDROM") && disk.finding("advice", key, `"${name}" is an emulated controller: vd (virtio) or sd (virtio-scsi) is much faster and can be plugged in`),
      UNSAFE_CACHES.includes(cache) && disk.finding("advice", "CACHE", `CACHE "${cache}" makes live migration unsafe: libvirt refuses it unless MIGRATE_OPTIONS=--unsafe is set; none is safe`),
      cache === "unsafe" && disk.finding("advice", "CACHE", "CACHE unsafe ignores the guest's flushes: data is lost when the host fails"),
      disk.is("DISCARD", "UNMAP") && /^hd/.test(name) && disk.finding("advice", "DISCARD", "DISCARD needs virtio-scsi (prefix sd) or virtio (prefix vd)"),
    ];
  });
}

function interfaces(view: TemplateView): readonly Maybe[] {
  return [...view.vectors("NIC"), ...view.vectors("NIC_DEFAULT")].map((nic) => {
    const model = nic.get("MODEL");
    return Boolean(model) && model?.toLowerCase() !== "virtio" && nic.finding("advice", "MODEL", `MODEL "${model}" is emulated hardware: virtio is much faster`);
  });
}

function machine(view: TemplateView): readonly Maybe[] {
  const features = view.vectors("FEATURES")[0];
  const video = view.vectors("VIDEO")[0];
  return [
    features?.is("ACPI", "NO") && features.finding("advice", "ACPI", "without ACPI the guest cannot be asked to power off"),
    features?.is("GUEST_AGENT", "NO") && features.finding("advice", "GUEST_AGENT", "without the guest agent, snapshots cannot freeze file systems"),
    features !== undefined && /^\d+$/.test(features.get("VIRTIO_SCSI_QUEUES") ?? "") && Number(features.get("VIRTIO_SCSI_QUEUES")) > Number(view.single("VCPU") ?? 1) && features.finding("advice", "VIRTIO_SCSI_QUEUES", "more queues than processors: auto is one per processor"),
    video?.is("TYPE", "CIRRUS") && video.finding("advice", "TYPE", "cirrus is slow and obsolete: vga or virtio"),
  ];
}
