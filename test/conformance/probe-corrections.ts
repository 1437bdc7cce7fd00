import { dirname, join } from "node:path";
import type { Recordings } from "./probe-recordings.ts";

/** A number that upstream gets wrong, and where the right one comes from. */
export interface Correction {
  /** The probe by `category/name`, and the attribute. */
  readonly probe: string;
  readonly attribute: string | RegExp;
  /** Section of monitoring.md that calls it wrong. */
  readonly section: string;
  readonly why: string;
  /** The right value, from the inputs or from what upstream said. */
  readonly right: (recorded: string, recordings: Recordings, at: { readonly name: string; readonly output: string }) => string;
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
    right: (recorded, recordings, { output }) => distances(recordings.text(join(dirname(output), "sys-bus-node-devices.tree.txt")) ?? "", recorded.split(" ")[0] ?? ""),
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
    probe: "host/monitor/linux_usage", attribute: "NETRX", section: "6.2, 15.12", why: "VLANs, bridges and representors of a card count again",
    right: (_recorded, recordings) => String(traffic(recordings, 0)),
  },
  {
    probe: "host/monitor/linux_usage", attribute: "NETTX", section: "6.2, 15.12", why: "the same",
    right: (_recorded, recordings) => String(traffic(recordings, 8)),
  },
  {
    probe: "host/system/numa_host", attribute: "CORE/CPUS", section: "6.4, 15.12", why: "siblings that are neighbours are a range, of which oned reads the first only",
    right: (recorded) => recorded.split(",").flatMap((part) => expanded(part)).join(","),
  },
  {
    probe: "host/system/memory_encryption", attribute: "MEMORY_ENCRYPTION", section: "6.3, 15.12", why: "hosts with TDX are never detected",
    right: (recorded, recordings) => (recorded === "NONE" && /<tdx supported='yes'/.test(recordings.text("inputs/virsh-domcapabilities-x86_64.xml") ?? "") ? "TDX" : recorded),
  },
  {
    probe: "vm/monitor/poll", attribute: /^VM\/MONITOR\//, section: "7.5, 15.11", why: "objects are written in the notation of whichever Ruby there is, and quotes of those in a list are not escaped: oned drops all metrics of the VM",
    right: (recorded, recordings, { name }) => (recorded.includes("=>") ? answerTo(recordings, name.slice("VM/MONITOR/".length)) : recorded),
  },
];

/** Attributes that later releases have added: recordings of earlier ones do not hold them (monitoring.md 13). */
export const ADDED: readonly { readonly attribute: RegExp; readonly since: string }[] = [
  { attribute: /^MEMORY_ENCRYPTION$|^VM\/MONITOR\/GPU_/, since: "7.2" },
  { attribute: /^PCI\/(IFNAME|SRIOV|SRIOV_NUM)$|^VM\/MONITOR\/(OS_(ID|TYPE|VERSION|MACHINE)|GUEST_IP_ADDRESSES)$/, since: "7.4" },
  { attribute: /_BW$/, since: "7.0" },
];

/** What a question of guestagent.conf has to give: lists side by side, objects as JSON. */
function answerTo(recordings: Recordings, attribute: string): string {
  const configuration = recordings.names("vm-monitor").filter((name) => name.endsWith("guestagent.conf")).map((name) => recordings.text(`vm-monitor/${name}`)).join("\n");
  const command = new RegExp(`^\\s*:${attribute.toLowerCase()}:.*?"execute"\\s*:\\s*"([\\w-]+)"`, "ms").exec(configuration)?.[1] ?? "";
  return [answer(recordings, command)].flat().map((each) => (typeof each === "object" ? JSON.stringify(each) : String(each))).join(", ");
}

function expanded(part: string): readonly string[] {
  const [first = 0, last = first] = part.split("-").map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => String(first + index));
}

/** A field of /proc/net/dev over cards: whole names of cards only. */
function traffic(recordings: Recordings, field: number): bigint {
  const cards = recordings.input("proc-net-dev.txt").split("\n").map((line) => line.trim().split(/:\s*/)).filter(([name = ""]) => /^(eth\d+|ib\d+|em\d+(_\d+)?|p\d+p\d+(_\d+)?|en(o|x|s|a|P?\d*p\d+s)[0-9a-fA-Z]*\w*)$/.test(name) && !/pf\d+(vf|sf)/.test(name));
  return cards.reduce((sum, [, counters = ""]) => sum + BigInt(counters.split(/\s+/)[field] ?? 0), 0n);
}

function answer(recordings: Recordings, command: string): unknown {
  return (JSON.parse(recordings.input(`guest-agent-${command}.json`)) as { readonly return: unknown }).return;
}

function usableModels(xml: string): readonly string[] {
  const custom = /<mode name='custom' supported='yes'>([^]*?)<\/mode>/.exec(xml)?.[1] ?? "";
  return [...custom.matchAll(/<model ([^>]*)>([^<]*)<\/model>/g)].filter(([, attributes = ""]) => !attributes.includes("usable='no'")).map(([, , name = ""]) => name);
}

function distances(tree: string, node: string): string {
  const row = new RegExp(`^\\./node${node}/distance = (.*)$`, "m").exec(tree)?.[1] ?? "";
  const ids = [...new Set([...tree.matchAll(/^\.\/node(\d+)\//gm)].map(([, id]) => Number(id)))].sort((a, b) => a - b);
  return row.trim().split(/\s+/).map((distance, index) => ({ id: ids[index] ?? -1, distance: Number(distance) })).sort((a, b) => a.distance - b.distance || a.id - b.id).map(({ id }) => id).join(" ");
}

function memory(recordings: Recordings, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(recordings.input("proc-meminfo.txt"))?.[1]);
}
