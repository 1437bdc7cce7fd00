import { cannot } from "./facts.ts";
import { type DomainInput, lookups } from "./input.ts";
import { Lookup } from "./levels.ts";

/**
 * A firmware image that a VM or the defaults name must be one of OVMF_UEFIS. OpenNebula checks that when it deploys, but not for
 * a driver of type xml. A firmware of host or cluster is the administrator's choice and is not checked.
 */
export function checkFirmware(input: DomainInput): void {
  const { vm, defaults } = input.levels;
  const path = new Lookup([vm, defaults]).keyText("OS", "FIRMWARE").text;
  if (["", "BIOS", "UEFI"].includes(path.toUpperCase())) return;
  const allowed = lookups(input).inherited.text("OVMF_UEFIS").text;
  if (allowed === "") throw cannot(input, "No OVMF_UEFIS defined in configuration.");
  if (!allowed.split(/\s+/).includes(path)) throw cannot(input, `FIRMWARE '${path}' not allowed.`);
}
