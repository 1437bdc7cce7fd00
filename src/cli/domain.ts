import { defineCommand } from "citty";

/** `onevirt domain …`: libvirt documents, generated, explained, compared and judged. */
export default defineCommand({
  meta: { name: "domain", description: "Generate, explain, compare and validate libvirt domain documents" },
  subCommands: {
    xml: () => import("./domain-xml.ts").then((module) => module.default),
    explain: () => import("./domain-explain.ts").then((module) => module.default),
    diff: () => import("./domain-diff.ts").then((module) => module.default),
    validate: () => import("./domain-validate.ts").then((module) => module.default),
  },
});
