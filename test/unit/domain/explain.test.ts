import { describe, expect, test } from "bun:test";
import { type ExplainedElement, describeSource, explanations, explainTree } from "../../../src/domain/explain.ts";
import { generateDomain } from "../../../src/domain/generate.ts";
import { type DomainInput, domainInput, type DomainTexts } from "../../../src/domain/input.ts";
import type { Source } from "../../../src/domain/source.ts";
import { lastOfEachName, trimmed } from "../../../src/codec/attributes.ts";
import { parseTemplate } from "../../../src/codec/template.ts";
import { embeddedDefaults } from "../../../src/domain/defaults.ts";
import { goldenCases, goldenTexts } from "../../golden/domain-xml/cases.ts";
import { changes, mutated, otherValue, type Templates, withTemplates } from "./mutations.ts";

interface Case {
  readonly input: DomainInput;
  readonly templates: Templates;
  readonly tree: ExplainedElement;
}

async function open(name: string, more: Partial<DomainTexts> = {}): Promise<Case> {
  const texts = { ...(await goldenTexts(name)), ...more };
  const parsed = await domainInput(texts);
  const read = (text: string | undefined) => parseTemplate(text ?? "", "template");
  const templates = { vm: parsed.vm.template, host: trimmed(read(texts.host?.text)), cluster: trimmed(read(texts.cluster?.text)), defaults: lastOfEachName(read((texts.defaults ?? embeddedDefaults("x86_64")).text)) };
  const input = withTemplates(parsed, templates);
  return { input, templates, tree: treeOf(input) };
}

function treeOf(input: DomainInput): ExplainedElement {
  return explainTree(generateDomain(input).root);
}

const isSame = (a: Source) => (b: Source) => a.kind === b.kind && a.name === b.name;

/** Attributes and elements of one line each, by the source that changes them: a row per kind of source. */
const ROWS: readonly (readonly [name: string, kind: Source["kind"], source: string, value: string, changed: readonly string[]])[] = [
  ["disk-file", "vm", "/VM/TEMPLATE/DISK[1]/CACHE", "none", ["/domain/devices[1]/disk[1]/driver/@cache"]],
  ["disk-file", "vm", "/VM/TEMPLATE/DISK[3]/DISK_ID", "5", ["/domain/devices[1]/disk[3]/source/@file"]],
  ["vcpu-maximum", "vm", "/VM/TEMPLATE/VCPU", "3", ["/domain/vcpu/@current", "/domain/devices[1]/controller/driver/@queues"]],
  ["memory-ballooning", "vm", "/VM/TEMPLATE/MEMORY", "32", ["/domain/currentMemory"]],
  ["cputune-shares-v2", "host", "CGROUPS_VERSION", "1", ["/domain/cputune/shares"]],
  ["cputune-shares-v2", "host", "EMULATOR_CPUS", "3", ["/domain/cputune/emulatorpin/@cpuset"]],
  ["scsi-queues", "host", "FEATURES/VIRTIO_SCSI_QUEUES", "3", ["/domain/devices[1]/controller/driver/@queues"]],
  ["raw", "host", "RAW", "<devices><rng model='virtio'/></devices>", ["/domain/devices[4]/memballoon", "/domain/devices[4]/rng"]],
  ["tpm", "cluster", "TPM/MODEL", "tpm-tis", ["/domain/devices[1]/tpm/@model"]],
  ["memory-hotplug", "cluster", "MEMORY_SLOTS", "4", ["/domain/maxMemory/@slots"]],
  ["cpu-evc", "cluster", "EVC_MODE", "Skylake-Client", ["/domain/cpu/model"]],
  ["disk-file", "defaults", "DISK/DISCARD", "ignore", ["/domain/devices[1]/disk[1]/driver/@discard", "/domain/devices[1]/disk[2]/driver/@discard", "/domain/devices[1]/disk[3]/driver/@discard"]],
  ["disk-file", "defaults", "FEATURES/GUEST_AGENT", "no", ["/domain/devices[2]"]],
  ["tpm", "defaults", "FEATURES/ACPI", "no", ["/domain/features"]],
  ["memory-encryption", "defaults", "MEMORY_TUNE_OFFSET", "300", ["/domain/memtune/hard_limit"]],
];

describe("explainTree()", () => {
  test.each(ROWS)("%s: changing %s %s to %j changes what names it", async (name, kind, source, value, expected) => {
    const { input, templates, tree } = await open(name);
    const changedTemplates = mutated(templates, { kind, name: source, value: "" }, value);
    const found = changes(tree, treeOf(withTemplates(input, changedTemplates as Templates)));
    expect(found.map(({ xpath }) => xpath).sort()).toEqual([...expected].sort());
    expect(found.filter(({ named }) => !named.some(isSame({ kind, name: source, value: "" })))).toEqual([]);
  });

  test.each([
    ["datastoreLocation", "/srv", "datastore location", ["/domain/devices[1]/disk/source/@dev", "/domain/metadata/one:vm/one:system_datastore"]],
    ["contextDiskType", "FILE", "context disk type", ["/domain/devices[1]/disk/@type", "/domain/devices[1]/disk/source/@dev", "/domain/devices[1]/disk/source/@file"]],
    ["oneVersion", "6.0.0", "OpenNebula version", ["/domain/metadata/one:vm/one:opennebula_version"]],
    ["cgroups", 2, "cgroups", ["/domain/cputune/shares"]],
    ["emulator", "qemu", "type", ["/domain/@type"]],
    ["deploymentTime", 5, "time", ["/domain/metadata/one:vm/one:deployment_time"]],
  ] as const)("changing the option %s to %j changes what names it", async (option, value, source, expected) => {
    const [before, after] = [await open("context-block"), await open("context-block", { [option]: value })];
    const found = changes(before.tree, after.tree);
    expect(found.map(({ xpath }) => xpath).sort()).toEqual([...expected].sort());
    expect(found.filter(({ named }) => !named.some(isSame({ kind: "option", name: source, value: "" })))).toEqual([]);
  });

  test("no value of any template can change a part that does not name it", async () => {
    const silent: string[] = [];
    for (const name of goldenCases()) {
      const { input, templates, tree } = await open(name);
      for (const source of sourcesOf(tree)) {
        const other = mutated(templates, source, otherValue(source.value));
        const after = other && attempt(() => treeOf(withTemplates(input, other)));
        if (after) silent.push(...changes(tree, after).filter(({ named }) => !named.some(isSame(source))).map(({ xpath }) => `${name}: ${source.name} changes ${xpath}`));
      }
    }
    expect(silent.filter((each) => !each.startsWith(MOVED_BACK))).toEqual([]);
  }, 60_000);
});

/** Here the controllers go back to their usual numbers, and only the document in which they were moved can say why. */
const MOVED_BACK = "pci-numa-missing-cell: /VM/TEMPLATE/PCI[2]/ROOT changes";

test("describeSource() names kind, path, value and place", () => {
  expect(describeSource({ kind: "vm", name: "/VM/TEMPLATE/DISK[2]/CACHE", value: "none" })).toBe(`VM DISK[2]/CACHE = "none"`);
  expect(describeSource({ kind: "defaults", name: "FEATURES/ACPI", value: "yes", file: "d.conf", line: 7 })).toBe(`defaults FEATURES/ACPI = "yes" (d.conf line 7)`);
  expect(describeSource({ kind: "rule", name: "because", value: "" })).toBe("rule: because");
});

function sourcesOf(tree: ExplainedElement): readonly Source[] {
  return [...new Map(explanations(tree).flatMap(({ sources }) => sources).map((each) => [`${each.kind} ${each.name}`, each])).values()];
}

/** A value may make the document impossible; then nothing is said. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
