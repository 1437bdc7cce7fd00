import { fragment, type Part, warning } from "../element.ts";
import type { Contributor, Facts } from "../facts.ts";
import { administratorsText } from "../fragment.ts";
import type { VectorView } from "../levels.ts";

/** RAW of the VM for KVM, then RAW of host, cluster or defaults: verbatim, because only administrators may set them. */
export const raw: Contributor = (facts) => {
  const own = facts.vm.vectors("RAW");
  return [...own.flatMap((each) => ofVm(facts, each)), ...inherited(facts), ...(own.length > 1 ? [warning("OpenNebula checks only the first RAW of a VM.")] : [])];
};

/** Compat: OpenNebula checks texts of TYPE qemu, and then drops them. */
function ofVm(facts: Facts, view: VectorView): readonly Part[] {
  const type = view.get("TYPE").text;
  if (type.toUpperCase() === "KVM") return [fragment(administratorsText(facts, "RAW/DATA", view.get("DATA")), true)];
  return [warning(`RAW of TYPE "${type}" is not written: only TYPE kvm is.`)];
}

function inherited(facts: Facts): readonly Part[] {
  const text = facts.inherited.text("RAW");
  return text.text === "" ? [] : [fragment(administratorsText(facts, "RAW", text), true)];
}
