import { element } from "../element.ts";
import type { Contributor } from "../facts.ts";
import { countOf } from "../numa.ts";
import { derived } from "../source.ts";

/** `<memoryBacking>`: huge pages, and memory that a file server on the host can share. */
export const memoryBacking: Contributor = ({ topology, vm }) => {
  const size = topology && countOf(topology, "HUGEPAGE_SIZE");
  const shared = vm.vectors("DISK").map((disk) => disk.get("TYPE")).find((type) => type.text === "FILESYSTEM");
  const huge = size && size.count > 0 ? size : undefined;
  if (!huge && !shared) return [];
  const backing = huge
    ? element("hugepages", {}, [element("page", { size: derived(huge.exact * 1024n, huge) })], { because: [huge], rule: "TOPOLOGY/HUGEPAGE_SIZE in KiB" })
    : element("source", { type: "memfd" }, undefined, { because: [shared], rule: "a shared directory needs memory that another process can map" });
  const access = shared ? [element("access", { mode: "shared" }, undefined, { because: [shared], rule: "a shared directory needs shared memory" })] : [];
  return [element("memoryBacking", {}, [backing, ...access], { because: [huge, shared], rule: "huge pages or a shared directory" })];
};
