import { describe, expect, test } from "bun:test";
import { readDomainDocument } from "../../../src/codec/domain-document.ts";
import { parseTemplate } from "../../../src/codec/template.ts";
import { importTemplate, wildTemplate } from "../../../src/monitor/import-template.ts";
import { escapeXml } from "../../../src/codec/xml.ts";

const UUID = "812410d8-4ef6-4094-8fbd-3277840e343d";

function domain({ name = "wild-9003", features = "<acpi/><apic/>", graphics = "" }: { name?: string; features?: string; graphics?: string } = {}) {
  const xml = `<domain><name>${escapeXml(name)}</name><memory unit='KiB'>49152</memory><vcpu>2</vcpu><os><type arch='x86_64'>hvm</type></os><features>${features}</features><devices>${graphics}</devices></domain>`;
  return readDomainDocument(xml, "the domain");
}

const BOTH = "<graphics type='vnc' port='5901'/><graphics type='spice' port='-1'/>";

describe("the template of a wild VM on the wire", () => {
  test("wildTemplate() has upstream's lines: no line for what there is not, spice before vnc", () => {
    expect(wildTemplate(domain({ graphics: BOTH }), UUID)).toBe(
      `NAME="wild-9003"\nCPU=2\nVCPU=2\nMEMORY=48\nHYPERVISOR="kvm"\nDEPLOY_ID="${UUID}"\nOS=[ARCH="x86_64"]\nFEATURES=[  ACPI="yes",   APIC="yes"]\nGRAPHICS = [ TYPE="spice", PORT="-1" ]\nGRAPHICS = [ TYPE="vnc", PORT="5901" ]\n`);
    expect(wildTemplate(domain({ features: "" }), UUID)).toBe(`NAME="wild-9003"\nCPU=2\nVCPU=2\nMEMORY=48\nHYPERVISOR="kvm"\nDEPLOY_ID="${UUID}"\nOS=[ARCH="x86_64"]\n`);
  });

  test("importTemplate() has those of 5.x: an empty line for what there is not", () => {
    const head = `NAME="wild-9003"\nCPU=2\nVCPU=2\nMEMORY=48\nHYPERVISOR="kvm"\nIMPORT_VM_ID="${UUID}"\nOS=[ARCH="x86_64"]\n`;
    expect(importTemplate(domain({ features: "<pae/><apic/><acpi/><hyperv/>" }), UUID)).toBe(`${head}FEATURES=[\n  ACPI="yes",\n  APIC="yes",\n  PAE="yes"]\n\n\n\n`);
    expect(importTemplate(domain({ features: "", graphics: BOTH }), UUID)).toBe(`${head}FEATURES=[\n]\n\nGRAPHICS = [ TYPE="spice", PORT="-1" ]\nGRAPHICS = [ TYPE="vnc", PORT="5901" ]\n`);
  });

  test.each([`a"b`, `a\\`, `a\\"\nEVIL="1`, `]]>`, "a\nEVIL=1"])("a name like %j adds nothing to it", (name) => {
    for (const template of [importTemplate, wildTemplate]) {
      const read = parseTemplate(template(domain({ name }), UUID), "the template");
      expect(read.map((each) => each.name).slice(0, 5)).toEqual(["NAME", "CPU", "VCPU", "MEMORY", "HYPERVISOR"]);
      expect(read.some((each) => each.name.includes("EVIL"))).toBe(false);
    }
  });
});
