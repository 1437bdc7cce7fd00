import { type Part, warning } from "../element.ts";
import type { Facts } from "../facts.ts";
import { administratorsText, type Allowed, refusal } from "../fragment.ts";
import { sourcesOf, type Value } from "../source.ts";

/**
 * A text of elements that is looked up through all levels. From host, cluster and defaults it is taken as it is; from the VM,
 * whose owner may be anybody, only when all it holds is allowed. Otherwise it counts as not written, and the log says so.
 */
export function optionsText(facts: Facts, name: string, allowed: Allowed): { readonly value: Value; readonly warnings: readonly Part[] } {
  const inherited = () => administratorsText(facts, name, facts.inherited.text(name));
  const own = facts.vm.find(name);
  if (!own) return { value: inherited(), warnings: [] };
  const reason = refusal(own.text, name, allowed);
  if (reason === undefined) return { value: own, warnings: [] };
  const value = inherited();
  return { value: { text: value.text, sources: sourcesOf(own, value) }, warnings: [warning(`${name} of the VM ignored: ${reason}.`)] };
}
