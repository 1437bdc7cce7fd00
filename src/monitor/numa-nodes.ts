import type { Files } from "../core/ports.ts";

const NODES = "/sys/bus/node/devices";

/** A NUMA node as sysfs shows it. */
export interface NumaNode {
  readonly id: number;
  readonly path: string;
  /** Its processors, those that are off line included. */
  readonly cpus: readonly number[];
}

/** All nodes in the order of their numbers; none on a kernel without NUMA. */
export function numaNodes(files: Files): readonly NumaNode[] {
  return numbered(files.names(NODES), "node").map((id) => ({ id, path: `${NODES}/node${id}`, cpus: numbered(files.names(`${NODES}/node${id}`), "cpu") }));
}

/** A counter of each size of huge pages, the sizes in KiB and ascending. A size whose counter cannot be read is left out. */
export function hugePages({ path }: NumaNode, counter: "nr_hugepages" | "free_hugepages", files: Files): readonly { readonly size: number; readonly count: string }[] {
  const sizes = files.names(`${path}/hugepages`).flatMap((name) => /^hugepages-(\d+)kB$/.exec(name)?.[1] ?? []).map(Number).sort((a, b) => a - b);
  return sizes.flatMap((size) => {
    const text = files.findText(`${path}/hugepages/hugepages-${size}kB/${counter}`)?.trim() ?? "";
    return /^\d+$/.test(text) ? [{ size, count: text }] : [];
  });
}

function numbered(names: readonly string[], prefix: string): readonly number[] {
  const pattern = new RegExp(`^${prefix}(\\d+)$`);
  return names.flatMap((name) => pattern.exec(name)?.[1] ?? []).map(Number).sort((a, b) => a - b);
}
