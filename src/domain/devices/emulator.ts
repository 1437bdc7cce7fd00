import { cdataElement } from "../element.ts";
import type { Contributor } from "../facts.ts";
import { byRule, orElse } from "../source.ts";

/** `<emulator>`: the QEMU to run; by default the name OpenNebula's packages give it on every distribution. */
export const emulator: Contributor = ({ all }) => [
  cdataElement("emulator", orElse(all.text("EMULATOR"), byRule("/usr/bin/qemu-kvm-one", "no EMULATOR anywhere: OpenNebula's name of QEMU")), { rule: "EMULATOR" }),
];
