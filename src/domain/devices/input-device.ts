import { element, filled } from "../element.ts";
import type { Contributor } from "../facts.ts";

/** `<input>`: the first INPUT of the VM, when it has a TYPE. */
export const inputDevice: Contributor = ({ vm }) => {
  const own = vm.vectors("INPUT")[0];
  const type = own?.get("TYPE");
  if (!own || !type || type.text === "") return [];
  return [element("input", { type, bus: filled(own.get("BUS")) }, undefined, { because: [type], rule: "the first INPUT with its TYPE" })];
};
