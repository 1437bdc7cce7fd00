import { type DomainNode, element, fragment, type Part } from "../element.ts";
import type { Contributor, Facts } from "../facts.ts";
import { HYPERV_ELEMENTS } from "../fragment.ts";
import { derived, type Flag, isFound, type Sourced } from "../source.ts";
import { splitIoapic } from "./iommu.ts";
import { optionsText } from "./options-text.ts";

/** `<features>`: what the machine offers beyond its bare type. It may stay empty. */
export const features: Contributor = (facts) => {
  const flag = (key: string) => facts.all.keyFlag("FEATURES", key);
  const [pae, acpi, apic, hyperv, ras] = [flag("PAE"), flag("ACPI"), flag("APIC"), flag("HYPERV"), flag("RAS")];
  const gic = facts.all.keyText("FEATURES", "GIC");
  const ioapic = splitIoapic(facts);
  const opening = [pae, acpi, apic, hyperv, facts.firmwareSecure, ras].filter(({ on }) => on);
  const because: readonly Sourced[] = [...opening, ...(gic.text === "" ? [] : [gic]), ...(ioapic ? [ioapic] : [])];
  if (because.length === 0) return [];
  const enlightenments = hyperv.on ? hypervNodes(facts, hyperv) : { nodes: [], warnings: [] };
  const children = [
    ...simple("pae", pae),
    ...(offersAcpi(facts) ? simple("acpi", acpi, ...acpiNeeds(facts)) : []),
    ...simple("apic", apic),
    ...enlightenments.nodes,
    ...stated("smm", facts.firmwareSecure, "FIRMWARE_SECURE: secure boot needs system management mode"),
    ...(gic.text === "" ? [] : [element("gic", { version: gic }, undefined, { because: [gic], layout: { quote: '"' }, rule: "FEATURES/GIC: interrupt controller of ARM" })]),
    ...stated("ras", ras, "FEATURES/RAS"),
    ...(ioapic ? [element("ioapic", { driver: "qemu" }, undefined, { because: [ioapic], rule: "interrupt remapping of an Intel IOMMU needs an I/O APIC inside QEMU" })] : []),
  ];
  return [element("features", {}, children, { because, rule: "any feature that is on" }), ...enlightenments.warnings];
};

/** On ARM, ACPI exists only with a UEFI firmware. */
function offersAcpi({ arch, firmware }: Facts): boolean {
  return arch.text !== "aarch64" || firmware.kind !== "bios";
}

/** What ACPI on ARM depends on. */
function acpiNeeds({ arch, firmware }: Facts): readonly Sourced[] {
  return arch.text === "aarch64" ? [arch, firmware.value] : [];
}

function simple(name: string, flag: Flag, ...needs: readonly Sourced[]): readonly DomainNode[] {
  return flag.on ? [element(name, {}, undefined, { because: [flag, ...needs], rule: `FEATURES/${name.toUpperCase()}` })] : [];
}

function stated(name: string, flag: Flag, rule: string): readonly DomainNode[] {
  return flag.on ? [element(name, { state: "on" }, undefined, { because: [flag], layout: { quote: '"' }, rule })] : [];
}

function hypervNodes(facts: Facts, hyperv: Flag): { readonly nodes: readonly DomainNode[]; readonly warnings: readonly Part[] } {
  const { value, warnings } = optionsText(facts, "HYPERV_OPTIONS", HYPERV_ELEMENTS);
  const text = isFound(value) ? value : derived("");
  return { nodes: [element("hyperv", {}, [fragment(text, false)], { because: [hyperv], rule: "FEATURES/HYPERV: what HYPERV_OPTIONS holds" })], warnings };
}
