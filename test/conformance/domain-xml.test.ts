import { describe, expect, test } from "bun:test";
import { parseXml } from "../../src/codec/xml.ts";
import { explanations, explainTree } from "../../src/domain/explain.ts";
import { generateDomain } from "../../src/domain/generate.ts";
import { domainInput } from "../../src/domain/input.ts";
import { paths } from "../support/xml-paths.ts";
import { normalised, RECORDED, recordedCases, type RecordedCase, textsOf } from "./recorded-domains.ts";

const all = await recordedCases();
const generated = all.filter(({ vm }) => vm !== undefined);

/**
 * Where our document differs from the recorded one on purpose: the edits that turn the recorded document into ours. Cases that are
 * marked as diverging and not listed here must still give a well-formed document.
 */
const DIVERGING: Readonly<Record<string, (recorded: string) => string>> = {
  "access-without-hugepages": (xml) => xml.replace("memAccess='SHARED'", "memAccess='shared'"),
  "combo-nfv": withIoapic,
  "cpu-host-model": (xml) => xml.replace("<cpu mode='custom'>", "<cpu mode='host-model'>").replace(/\t\t<model fallback='forbid'>.*\n/, ""),
  "disk-cdrom-sd-pc": (xml) => xml.replace(/\t\t\t<address type='drive' controller='0' bus='0' target='1' unit='0'\/>\n/, ""),
  "disk-serial-block-default-bus": (xml) => xml.replace("\t\t\t<serial>S1</serial>\n", ""),
  "doc-rbd-ipv6-monitor": (xml) => xml.replace("name='[2001' port='db8'", "name='2001:db8::1' port='6789'"),
  "doc-video-no-type": (xml) => xml.replace(/\t\t<video>[\s\S]*<\/video>\n/, ""),
  "esc-attribute-injection": (xml) => xml.replace(/keymap='.*'\/>/, "keymap='de&apos;/>&lt;serial type=&apos;pty&apos;/>&lt;graphics type=&apos;egl-headless'/>"),
  "feat-ras-only": (xml) => xml.replace("\t</devices>\n", '\t</devices>\n\t<features>\n\t\t<ras state="on"/>\n\t</features>\n'),
  "iommu-single": withIoapic,
  "mem-overflow": (xml) => xml.replace("<memory>-2147483648<", "<memory>2147483648<"),
  "pci-dedicated": (xml) => xml,
  "pci-dedicated-empty-node": (xml) => xml
    .replace("cpuset=',8,24'", "cpuset='8,24'")
    .replace("index='12' model='pcie-expander-bus'", "index='3' model='pcie-expander-bus'")
    .replace("index='13' model='pcie-root-port'", "index='21' model='pcie-root-port'")
    .replace(/bus='12' slot='0' function='(\d)'/g, "bus='3' slot='0' function='$1'"),
  "pin-two-nodes": (xml) => xml,
  "q35-root-ports-negative": (xml) => xml.replace(/\t\t<controller type='pci' index='1' model='pcie-to-pci-bridge'\/>\n|\t\t<controller type='pci' index='\S+' model='pcie-to-pci-bridge'\/>\n/, rootPorts(16)),
  "sec-hyperv-options": (xml) => xml.replace(/(<hyperv>)[\s\S]*?(\n\t\t<\/hyperv>\n\t<\/features>\n\t<clock)/, (_, open: string, close: string) => `${open}\n${fromDefaults("HYPERV_OPTIONS")}${close}`),
  "sec-spice-options": (xml) => xml.replace(/<disk type='block'.*/, () => fromDefaults("SPICE_OPTIONS")),
  "sev-offset-absent": withLimit("1280"),
  "sev-offset-in-vm": withLimit("1280"),
  "sev-twice": withLimit("1280"),
};

describe("domain documents as OpenNebula writes them", () => {
  test(`the recorded cases are there: ${all.length}`, () => {
    console.info(`domain-xml conformance: ${all.length} cases, ${generated.length} with a VM document`);
    if (process.env["CI"]) expect(all.length, `no recorded cases under ${RECORDED}`).toBeGreaterThan(0);
  });

  test("every element and attribute of every case has a source", async () => {
    for (const each of generated.filter(({ about }) => !about.expectError)) {
      const { xml, root } = generateDomain(await domainInput(textsOf(each)));
      const found = explanations(explainTree(root));
      expect(found.map(({ xpath }) => xpath).sort()).toEqual(paths(parseXml(xml, each.name)).sort());
      expect(found.filter(({ sources }) => sources.length === 0)).toEqual([]);
    }
  });

  for (const each of generated)
    if (each.about.expectError) test(`${each.name} ends in the stated error`, () => expect(document(each)).rejects.toThrow(each.about.expectError));
    else if (!each.about.diverge) test(`${each.name} is the recorded document`, async () => expect(await document(each)).toBe(normalised(each.expected ?? "", each.about)));
    else test(`${each.name} differs from the recorded document only by ${each.about.diverge}`, async () => expectDivergence(each, await document(each)));
});

function expectDivergence(each: RecordedCase, ours: string): void {
  parseXml(ours, each.name);
  const edit = DIVERGING[each.name];
  if (edit) expect(ours).toBe(normalised(edit(each.expected ?? ""), each.about));
}

async function document(each: RecordedCase): Promise<string> {
  const { xml } = generateDomain(await domainInput(textsOf(each)));
  return normalised(xml, each.about);
}

function withIoapic(xml: string): string {
  return xml.replace("\t</features>", "\t\t<ioapic driver='qemu'/>\n\t</features>");
}

function withLimit(mebibytes: string): (xml: string) => string {
  return (xml) => xml.replace(/(<hard_limit unit='MiB'>)[^<]*/g, `$1${mebibytes}`);
}

function rootPorts(count: number): string {
  const ports = Array.from({ length: count }, (_, i) => `\t\t<controller type='pci' index='${i + 1}' model='pcie-root-port'/>\n`);
  return `${ports.join("")}\t\t<controller type='pci' index='${count + 1}' model='pcie-to-pci-bridge'/>\n`;
}

/** The text that applies when a VM's own text may not be written. */
function fromDefaults(name: string): string {
  return new RegExp(`^${name} = "([^"]*)"`, "m").exec(all[0]?.defaults ?? "")?.[1] ?? "";
}
