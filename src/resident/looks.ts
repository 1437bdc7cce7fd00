import type { Operation, Request, Served } from "../libvirt/protocol.ts";

/** Operations that only look, by their object: whoever lost the answer may ask again. */
const LOOKS: { readonly [O in keyof Served]?: readonly Operation<O>[] } = {
  hypervisor: ["find", "domainXml", "metadata", "list", "listSince", "stats", "maxMemoryKiB", "versions"],
  node: ["capabilities", "hostname", "domainCapabilities", "baselineCpu", "compareCpu", "cpuMhz"],
  snapshots: ["names", "current", "xml"],
  images: ["xml"],
};

/** Whether a request changes nothing, whatever became of it. */
export function onlyLooks({ object, operation }: Pick<Request, "object" | "operation">): boolean {
  return ((LOOKS[object] ?? []) as readonly string[]).includes(operation);
}
