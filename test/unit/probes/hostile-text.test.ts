import { describe, expect, test } from "bun:test";
import { quoted } from "../../../src/codec/attribute-text.ts";
import { parseTemplate } from "../../../src/codec/template.ts";
import type { FakeDomain } from "../../fakes/domain.ts";
import { given, type World } from "../../fakes/world.ts";
import { runProbe } from "./run.ts";

/** Pieces that mean something to OpenNebula's lexer, to XML, to shells, or to nobody. */
const PIECES = [
  '"', "\\", '\\"', "\\\\", "]]>", "]", "[", ",", "=", "#", "\n", "\r\n", "\t", "\0", "\u001b[31m", "<", "&amp;", "'", "$(id)", "`", "%s", "{}", "é", "名", "\u{1f600}", "\ud800", "\udc00", "\ufffe", "\uffff", "\u2028", "\u0085", " ", "one-7", "x",
];
const ROUNDS = 6000;
const HOSTS = 60;

/** Numbers that look random and are the same in every run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) yield (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

function hostile(random: Iterator<number>): string {
  const length = 1 + Math.floor((random.next().value as number) * 8);
  return Array.from({ length }, () => PIECES[Math.floor((random.next().value as number) * PIECES.length)]).join("");
}

/** What oned can hold of a value: no character that XML or a line cannot, no end of a CDATA section, and no backslash before a quote. */
function held(value: string): string {
  return value.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]+/g, " ").replaceAll("]]>", "]] >").replace(/\\("|$)/g, "\\ $1");
}

/** oned's lexer, from its rules: a quoted value is the longest run of anything but quotes, or of quotes with a backslash before them. A second reader, which shares no code with ours. */
function readAsOned(text: string): readonly (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  let rest = text.trimStart();
  while (rest !== "") {
    const [all = "", name = ""] = /^(\w+)[ \t]*=[ \t]*/.exec(rest) ?? [];
    if (name === "") throw new Error(`no name at ${JSON.stringify(rest.slice(0, 40))}`);
    rest = rest.slice(all.length);
    if (/^.*\]\]>/.test(rest)) throw new Error(`the end of a CDATA section at ${JSON.stringify(rest.slice(0, 40))}`);
    if (rest.startsWith("[")) {
      const inner = vector(rest);
      found.push([name, inner.text]);
      rest = inner.rest.trimStart();
      continue;
    }
    const value = single(rest);
    found.push([name, value.text]);
    rest = value.rest.trimStart();
  }
  return found;
}

function single(text: string): { readonly text: string; readonly rest: string } {
  const [whole] = (text.startsWith('"') ? /^"(?:\\"|[^"])*"/ : /^[^=#,[\]\s]+/).exec(text) ?? [];
  if (whole === undefined) throw new Error(`no value at ${JSON.stringify(text.slice(0, 40))}`);
  return { text: whole.startsWith('"') ? whole.slice(1, -1).replaceAll('\\"', '"') : whole, rest: text.slice(whole.length) };
}

/** A vector as its keys and values side by side. */
function vector(text: string): { readonly text: string; readonly rest: string } {
  const pairs: string[] = [];
  let rest = text.slice(1).trimStart();
  for (;;) {
    const [all = "", key] = /^(\w+)[ \t]*=[ \t]*/.exec(rest) ?? [];
    if (key === undefined) throw new Error(`no key at ${JSON.stringify(rest.slice(0, 40))}`);
    const value = single(rest.slice(all.length));
    pairs.push(`${key}=${value.text}`);
    rest = value.rest.trimStart();
    if (rest.startsWith("]")) return { text: pairs.join("\u0000"), rest: rest.slice(1) };
    if (!rest.startsWith(",")) throw new Error(`neither comma nor bracket at ${JSON.stringify(rest.slice(0, 40))}`);
    rest = rest.slice(1).trimStart();
  }
}

test("quoted() gives every value back, as far as oned can hold it, whatever stands around it", () => {
  const random = numbers(1);
  for (let round = 0; round < ROUNDS; round++) {
    const [first, second] = [hostile(random), hostile(random)];
    const text = `A=${quoted(first)}\nB=[ C=${quoted(second)}, D=${quoted(first)} ]\nE=1\n`;
    const expected = [["A", held(first)], ["B", `C=${held(second)}\u0000D=${held(first)}`], ["E", "1"]];
    expect(readAsOned(text)).toEqual(expected as never);
    expect(parseTemplate(text, "t").map((each) => (each.kind === "single" ? each.value : [...each.entries].map(([key, { value }]) => `${key}=${value}`).join("\u0000")))).toEqual(expected.map(([, value]) => value) as never);
  }
});

type HostileValues = Readonly<Record<"version" | "host" | "model" | "tree" | "domain" | "device" | "profile" | "answer", string>>;

/** A host on which everything that somebody else may choose is hostile. */
function hostileHost(random: Iterator<number>): { readonly world: World; readonly values: HostileValues } {
  const text = () => hostile(random);
  const line = () => text().replace(/[\r\n]+/g, " ").trim() || "x";
  const values = { version: line(), host: line(), model: line(), tree: line(), domain: text(), device: line(), profile: line(), answer: text() };
  const [uuid, wild] = ["aaaaaaaa-0001-4000-8000-000000000000", "aaaaaaaa-0002-4000-8000-000000000000"];
  const pci = "/sys/bus/pci/devices/0000:42:00.4";
  const domains: readonly FakeDomain[] = [
    { name: "one-1", uuid, fields: { "net.count": 0, "block.count": 0 } },
    { name: values.domain, uuid: wild, fields: { "net.count": 0 }, xml: "<domain><name>n</name><memory>2048</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os><devices/></domain>" },
  ];
  const world = given({
    domains, limitSeconds: 10_000,
    files: {
      "/proc/sys/kernel/hostname": `${values.host}\n`, "/var/tmp/one/VERSION": `${values.tree}\n`, "/proc/cpuinfo": `model name\t: ${values.model}\n`, "/proc/meminfo": text(), "/proc/net/dev": text(), "/proc/stat": text(), "/proc/self/mounts": text(),
      "/usr/share/misc/pci.ids": `10de  ${line()}\n\t2236  ${values.device}\n`, "/var/tmp/one/etc/im/kvm-probes.d/pci.conf": ":filter: '*:*'\n",
      [`${pci}/vendor`]: "0x10de\n", [`${pci}/device`]: "0x2236\n", [`${pci}/class`]: "0x030200\n", [`${pci}/physfn`]: { link: "../x" }, [`${pci}/numa_node`]: text(), [`${pci}/nvidia/creatable_vgpu_types`]: `head\n5 : ${values.profile}\n`,
      "/etc/udev/rules.d/99-rename.rules": `# 0000:42:00.4 <- ${line().replaceAll(" ", "_")}\n`,
      "/sys/bus/node/devices/node0/meminfo": text(), "/sys/bus/node/devices/node0/distance": text(), "/sys/bus/node/devices/node0/cpu0/topology/core_id": line(), "/sys/bus/node/devices/node0/cpu0/topology/thread_siblings_list": text(),
      "/sys/bus/node/devices/node0/hugepages/hugepages-2048kB/nr_hugepages": text(), "/sys/bus/node/devices/node0/hugepages/hugepages-2048kB/free_hugepages": text(),
      "/var/lib/one/datastores/100/.monitor": text(), "/var/lib/one/datastores/100/7/disk.0": text(),
      "/var/tmp/one/etc/im/kvm-probes.d/guestagent.conf": `:enabled: true\n:commands:\n  ${JSON.stringify(`:${printable(text())}`)}: one-$vm_id '{"execute":"guest-x"}'\n  :last: one-$vm_id '{"execute":"guest-x"}'\n`,
    },
  });
  world.hypervisor.parts.agent.set("guest-x", [{ [text()]: values.answer, inner: [{ deep: text() }] }, values.answer, 1.5, null, []]).set("guest-get-osinfo", { id: text(), "version-id": values.version, machine: text() });
  world.hypervisor.parts.agent.set("guest-network-get-interfaces", [{ name: text(), "ip-addresses": [{ "ip-address": text() }, { "ip-address": 7 }, null] }, null]);
  world.processes.put(uuid, { cpuTicks: 1 });
  world.processes.ticks = 10;
  world.clock.after(1000, () => void (world.processes.ticks += 200));
  return { world, values };
}

/** What YAML can hold. */
function printable(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}\ufffe\uffff\u2028]/gu, "?");
}

/** Everything in a text, with what base64 hides. */
function unfolded(text: string): ReadonlyMap<string, string> {
  return new Map(readAsOned(text).flatMap(([name, value]) => value.split("\u0000").flatMap((part): (readonly [string, string])[] => {
    const [, key = "", inner = ""] = /^(MONITOR|IMPORT_TEMPLATE)=(.*)$/s.exec(part) ?? [];
    return key === "" ? [[name, value]] : [[name, value], ...unfolded(Buffer.from(inner, "base64").toString("utf8"))];
  })));
}

describe("every probe, on a host whose every text is hostile", () => {
  const ofHost = ["architecture", "cpu", "linux_host", "monitor_ds", "name", "nfs_automounted", "numa_host", "pci", "version", "wild_vm"].map((name) => `host/system/${name}`);
  test("says what oned can read, and the values are those that were there", async () => {
    const random = numbers(7);
    for (let round = 0; round < HOSTS; round++) {
      const { world, values } = hostileHost(random);
      using _world = world;
      const said: string[] = [];
      for (const name of [...ofHost, "host/monitor/linux_usage", "host/monitor/numa_usage", "vm/monitor/poll", "vm/monitor/monitor_ds_vm", "vm/status/state"]) said.push(await runProbe(name, world));
      for (const text of said) expect(parseTemplate(text, "a probe").length).toBe(readAsOned(text).length);
      const all = unfolded(said.join(""));
      expect(all.get("MODELNAME") ?? held(values.model)).toBe(held(values.model));
      expect([all.get("HOSTNAME"), all.get("VERSION")]).toEqual([held(values.host), held(values.tree)]);
      expect(all.get("OS_VERSION")).toBe(held(values.version));
      expect(all.get("PCI")).toContain(`PROFILES=${held(`5 (${values.profile})`)}`);
      expect(all.get("LAST")).toContain(", 1.5, , ");
      if (!/^one-\d+$/.test(values.domain)) expect(readAsOned(await runProbe("host/system/wild_vm", world))[0]?.[1].split("\u0000")).toContain(`VM_NAME=${held(values.domain)}`);
    }
  });
});
