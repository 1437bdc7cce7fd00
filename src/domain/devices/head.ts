import { filled, textElement } from "../element.ts";
import type { Contributor } from "../facts.ts";
import { derived } from "../source.ts";

/** `<name>`, `<title>` and, when the VM has one, `<uuid>`: plain text, because deploy and its answers read them so. */
export const head: Contributor = ({ id, name, vm }) => {
  const uuid = filled(vm.vectors("OS")[0]?.get("UUID") ?? derived(""));
  return [
    textElement("name", derived(`one-${id.text}`, id), { rule: "a domain is named one-ID" }),
    textElement("title", name, { rule: "the title is the name of the VM" }),
    ...(uuid ? [textElement("uuid", uuid, { rule: "OS/UUID is the UUID of the domain" })] : []),
  ];
};
