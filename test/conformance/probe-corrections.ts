import type { Recordings } from "./probe-recordings.ts";

/** A number that upstream gets wrong, and where the right one comes from. */
export interface Correction {
  /** The probe by `category/name`, and the attribute. */
  readonly probe: string;
  readonly attribute: string;
  /** Section of monitoring.md that calls it wrong. */
  readonly section: string;
  readonly why: string;
  /** The right value, from the inputs or from what upstream said. */
  readonly right: (recorded: string, recordings: Recordings, index: number) => string;
}

/** Everything that we say otherwise than upstream. */
export const CORRECTIONS: readonly Correction[] = [
  {
    probe: "host/system/linux_host", attribute: "CPUSPEED", section: "6.3, 15.12", why: "lscpu has no such line since util-linux 2.37, so upstream says 0",
    right: () => "2400", // what libvirt says in the test
  },
  {
    probe: "host/system/machines_models", attribute: "KVM_CPU_MODELS", section: "15.12", why: "models of the last architecture replace those of the others",
    right: (_recorded, recordings) => [...new Set(["i686", "x86_64", "aarch64"].flatMap((arch) => usableModels(recordings.text(`inputs/virsh-domcapabilities-${arch}.xml`) ?? "")))].join(" "),
  },
  {
    probe: "host/system/numa_host", attribute: "MEMORY_NODE/DISTANCE", section: "6.4, 15.12", why: "of nodes at the same distance only the last is named",
    right: (recorded, recordings) => distances(recordings.text("fake-host/sys-bus-node-devices.tree.txt") ?? "", recorded.split(" ")[0] ?? ""),
  },
  {
    probe: "host/monitor/linux_usage", attribute: "USEDMEMORY", section: "15.12", why: "tmpfs and page cache that cannot be dropped count as free",
    right: (_recorded, recordings) => String(memory(recordings, "MemTotal") - memory(recordings, "MemAvailable")),
  },
  {
    probe: "host/monitor/linux_usage", attribute: "FREEMEMORY", section: "15.12", why: "the same",
    right: (_recorded, recordings) => String(memory(recordings, "MemAvailable")),
  },
  {
    probe: "vm/monitor/poll", attribute: "VM/MONITOR/GUEST_NAME", section: "7.5", why: "objects are written in the notation of whichever Ruby there is",
    right: (_recorded, recordings) => JSON.stringify(answer(recordings, "guest-get-host-name")),
  },
  {
    probe: "vm/monitor/poll", attribute: "VM/MONITOR/GUEST_VCPUS", section: "7.5, 15.11", why: "quotes of objects in a list are not escaped, and oned drops all metrics of the VM",
    right: (recorded, recordings) => (recorded.startsWith("error:") ? recorded : (answer(recordings, "guest-get-vcpus") as readonly unknown[]).map((each) => JSON.stringify(each)).join(", ")),
  },
];

function answer(recordings: Recordings, command: string): unknown {
  return (JSON.parse(recordings.input(`guest-agent-${command}.json`)) as { readonly return: unknown }).return;
}

function usableModels(xml: string): readonly string[] {
  const custom = /<mode name='custom' supported='yes'>([^]*?)<\/mode>/.exec(xml)?.[1] ?? "";
  return [...custom.matchAll(/<model ([^>]*)>([^<]*)<\/model>/g)].filter(([, attributes = ""]) => !attributes.includes("usable='no'")).map(([, , name = ""]) => name);
}

function distances(tree: string, node: string): string {
  const row = new RegExp(`^\\./node${node}/distance = (.*)$`, "m").exec(tree)?.[1] ?? "";
  return row.split(" ").map((distance, id) => ({ id, distance: Number(distance) })).sort((a, b) => a.distance - b.distance || a.id - b.id).map(({ id }) => id).join(" ");
}

function memory(recordings: Recordings, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(recordings.input("proc-meminfo.txt"))?.[1]);
}
