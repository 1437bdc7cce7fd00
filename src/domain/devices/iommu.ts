import { element, type Part, warning } from "../element.ts";
import { type Contributor, type Facts, ownFlag } from "../facts.ts";
import { derived, type Value } from "../source.ts";
import { planPci } from "./pci-plan.ts";

/** `<iommu>` in mode single; in mode device it stands with the expander of each device. */
export const iommu: Contributor = ({ vm }) => {
  const own = vm.vectors("IOMMU")[0];
  if (own?.get("MODE").text !== "single") return [];
  const model = own.get("MODEL");
  const options = iommuOptions(own.get("OPTIONS"));
  const driver = element("driver", options, undefined, { rule: "IOMMU/OPTIONS" });
  return [element("iommu", { model }, [driver], { because: [own.get("MODE")], rule: "IOMMU in mode single: one for the whole VM" }), ...virtioWarning(model, options)];
};

/** The options as attributes in the order of their names; everything from the first malformed word on is dropped. */
export function iommuOptions(options: Value): Readonly<Record<string, Value>> {
  const found = new Map<string, string>();
  for (const word of options.text.split(" ").filter((each) => each !== "")) {
    const match = /^([A-Za-z_][A-Za-z0-9_-]*)=([^=\s<>&'"]+)$/.exec(word);
    if (!match?.[1] || !match[2]) break;
    found.set(match[1], match[2]);
  }
  const names = [...found.keys()].filter((name) => name !== "pciBus" && !name.startsWith("xml"));
  return Object.fromEntries(names.sort().map((name) => [name, derived(found.get(name) ?? "", options)]));
}

/** What asks for an I/O APIC inside QEMU: interrupt remapping of an Intel IOMMU works with no other. */
export function splitIoapic(facts: Facts): Value | undefined {
  const own = facts.vm.vectors("IOMMU")[0];
  if (own?.get("MODEL").text !== "intel" || !isWritten(facts, own.get("MODE").text)) return undefined;
  const options = iommuOptions(own.get("OPTIONS"));
  return options["intremap"]?.text === "on" || options["eim"]?.text === "on" ? derived("", own.get("MODEL"), own.get("MODE"), own.get("OPTIONS")) : undefined;
}

/** Mode device writes an IOMMU only for dedicated devices that ask for it. */
function isWritten(facts: Facts, mode: string): boolean {
  if (mode === "single") return true;
  const { tree } = planPci(facts);
  return mode === "device" && tree.kind === "numa" && tree.plan.dedicated.some(({ request }) => ownFlag(request.view, "IOMMU").on);
}

/** libvirt knows no driver attributes of a virtio IOMMU. */
export function virtioWarning(model: Value, options: Readonly<Record<string, Value>>): readonly Part[] {
  return model.text === "virtio" && Object.keys(options).length > 0 ? [warning("libvirt refuses options of a virtio IOMMU: leave IOMMU/OPTIONS empty.")] : [];
}
