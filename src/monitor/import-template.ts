import type { DomainDocument } from "../codec/domain-document.ts";
import { templateValue } from "../codec/template-text.ts";

const FEATURES = ["acpi", "apic", "pae"] as const;

/** What the wild-VM import of oned 5.x needs, in upstream's exact lines (actions.md 15.4). Disks and NICs are not part of it. */
export function importTemplate(domain: DomainDocument, uuid: string): string {
  const features = FEATURES.filter((name) => domain.features.includes(name)).map((name) => `  ${name.toUpperCase()}="yes"`);
  return [
    `NAME=${templateValue(domain.name)}`,
    `CPU=${domain.vcpu}`,
    `VCPU=${domain.vcpu}`,
    `MEMORY=${Math.floor(Number(domain.memoryKiB) / 1024)}`,
    'HYPERVISOR="kvm"',
    `IMPORT_VM_ID="${uuid}"`,
    `OS=[ARCH=${templateValue(domain.arch)}]`,
    `FEATURES=[\n${features.join(",\n")}]`,
    "",
    graphics(domain, "spice"),
    graphics(domain, "vnc"),
    "",
  ].join("\n");
}

/** The same for monitors of 6.0 and later (monitoring.md 6.7): another name for the domain, and no empty lines. */
export function wildTemplate(domain: DomainDocument, uuid: string): string {
  const features = FEATURES.filter((name) => domain.features.includes(name)).map((name) => `  ${name.toUpperCase()}="yes"`);
  const lines = [
    `NAME=${templateValue(domain.name)}`,
    `CPU=${domain.vcpu}`,
    `VCPU=${domain.vcpu}`,
    `MEMORY=${Math.floor(Number(domain.memoryKiB) / 1024)}`,
    'HYPERVISOR="kvm"',
    `DEPLOY_ID="${uuid}"`,
    `OS=[ARCH=${templateValue(domain.arch)}]`,
    features.length > 0 ? `FEATURES=[${features.join(", ")}]` : "",
    graphics(domain, "spice"),
    graphics(domain, "vnc"),
  ];
  return lines.filter((line) => line !== "").map((line) => `${line}\n`).join("");
}

function graphics({ graphics: all }: DomainDocument, type: string): string {
  const found = all.find((each) => each.type === type);
  return found ? `GRAPHICS = [ TYPE="${type}", PORT=${templateValue(found.port)} ]` : "";
}
