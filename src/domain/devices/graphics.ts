import { type AttributeInput, element, filled, fragment, type Part, warning } from "../element.ts";
import type { Contributor, Facts } from "../facts.ts";
import { SPICE_ELEMENTS } from "../fragment.ts";
import { derived, type Value } from "../source.ts";
import { optionsText } from "./options-text.ts";

/** Longest password of each protocol. */
const PASSWORD_LENGTH = { vnc: 8, spice: 59 } as const;

/** `<graphics>`, and with SPICE the devices that go with it. A VM without GRAPHICS has none, whatever the defaults hold. */
export const graphics: Contributor = (facts) => {
  const own = facts.vm.vectors("GRAPHICS")[0];
  if (!own || own.keys.length === 0) return [];
  const asked = facts.all.keyText("GRAPHICS", "TYPE");
  const type = asked.text.toLowerCase();
  if (type !== "vnc" && type !== "spice") return [warning("Graphics not supported or undefined, ignored.")];
  const text = (key: string) => filled(facts.all.keyText("GRAPHICS", key));
  const password = passwordOf(facts, type);
  const attributes: Record<string, AttributeInput> = { type: derived(type, asked), listen: text("LISTEN"), port: filled(own.get("PORT")), passwd: password.value, keymap: text("KEYMAP") };
  const display = element("graphics", attributes, undefined, { because: [own.presence, asked], rule: "GRAPHICS of the VM; keys it leaves out come from host, cluster or defaults" });
  return [display, ...password.warnings, ...(type === "spice" ? spiceDevices(facts, asked) : [])];
};

function passwordOf({ all, input }: Facts, type: "vnc" | "spice"): { readonly value: Value | undefined; readonly warnings: readonly Part[] } {
  const password = all.keyText("GRAPHICS", "PASSWD");
  const random = all.keyFlag("GRAPHICS", "RANDOM_PASSWD");
  if (password.text !== "" || !random.on) return { value: filled(password), warnings: [] };
  return { value: derived(input.randomHex().slice(0, PASSWORD_LENGTH[type]), random), warnings: [warning("RANDOM_PASSWD: the display got a password that OpenNebula does not know.")] };
}

function spiceDevices(facts: Facts, asked: Value): readonly Part[] {
  const { value, warnings } = optionsText(facts, "SPICE_OPTIONS", SPICE_ELEMENTS);
  return value.text === "" ? warnings : [fragment(derived(value.text, value, asked), true), ...warnings];
}
