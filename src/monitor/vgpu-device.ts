import type { Files } from "../core/ports.ts";
import type { PciDevice } from "./pci-inventory.ts";

/** RFC 4122's name space for X.500 names: an interface, oned keeps what comes out of it. */
const NAME_SPACE = "6ba7b814-9dad-11d1-80b4-00c04fd430c8";

/** The UUID of the mediated device on a virtual function, by its address as OpenNebula writes it. */
export function vgpuUuid(address: string): string {
  return Bun.randomUUIDv5(address, NAME_SPACE);
}

/** Kinds of virtual GPUs that a function can be (monitoring.md 6.6). */
export function vgpuProfiles(device: PciDevice, files: Files): readonly string[] {
  const legacy = files.names(`${mdevBus(device)}/mdev_supported_types`);
  if (legacy.length > 0) return legacy;
  const lines = (files.findText(`${device.path}/nvidia/creatable_vgpu_types`) ?? "").split("\n").slice(1); // the first is a heading
  return lines.flatMap((line) => {
    const [, id, name] = /^\s*(\S+)\s*:\s*(\S.*?)\s*$/s.exec(line) ?? [];
    return id === undefined || name === undefined ? [] : [`${id} (${name})`];
  });
}

/** Whether mediated devices are made the kernel's way or NVIDIA's. */
export function mdevModeOf(device: PciDevice, files: Files): "legacy" | "nvidia" {
  return files.kind(mdevBus(device)) === undefined ? "nvidia" : "legacy";
}

function mdevBus({ name }: PciDevice): string {
  return `/sys/class/mdev_bus/${name}`;
}
