import { element, type Part, textElement, warning } from "../element.ts";
import type { Contributor, Facts } from "../facts.ts";
import { byRule, derived, isFound, type Value } from "../source.ts";

/** Guests that may not be debugged, and share no keys with others. */
const POLICY = { sev: "0x00000003", sevEs: "0x00000007" } as const;

/** `<launchSecurity>` and the memory limit it needs, for each MEMORY_ENCRYPTION. */
export const memoryEncryption: Contributor = (facts) => facts.vm.vectors("MEMORY_ENCRYPTION").flatMap((each) => encryption(facts, each.get("TYPE")));

function encryption(facts: Facts, type: Value): readonly Part[] {
  const upper = type.text.toUpperCase();
  if (!type.text.includes("SEV") || upper === "SEV-SNP") return [warning(`Memory encryption ${type.text} is not supported or undefined, ignored.`)];
  const policy = derived(upper === "SEV-ES" ? POLICY.sevEs : POLICY.sev, type);
  const limit = textElement("hard_limit", hardLimit(facts), { rule: "MEMORY and MEMORY_TUNE_OFFSET, because encrypted memory is locked" }, { unit: "MiB" });
  return [
    element("launchSecurity", { type: "sev" }, [textElement("policy", policy)], { because: [type], rule: "MEMORY_ENCRYPTION: no debugging, no shared keys" }),
    element("memtune", {}, [limit], { because: [type], rule: "MEMORY_ENCRYPTION needs a memory limit" }),
  ];
}

/** A missing offset is 256: with none at all the kernel would end the guest as soon as it uses its memory. */
function hardLimit({ memory: { memory }, defaultsOnly }: Facts): Value {
  const asked = defaultsOnly.integer("MEMORY_TUNE_OFFSET");
  if (isFound(asked)) return derived(memory.exact + asked.exact, memory, asked);
  return derived(memory.exact + 256n, memory, byRule("256", "no MEMORY_TUNE_OFFSET in the defaults: 256"));
}
