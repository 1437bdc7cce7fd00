import { OnevirtError } from "../core/errors.ts";
import arm64 from "./defaults/arm64.conf" with { type: "text" };
import x86_64 from "./defaults/x86_64.conf" with { type: "text" };

export type Architecture = "x86_64" | "aarch64";

/** Name of the administrator's defaults on a host: in our directory of the remotes tree, or below /etc/onevirt on that host only. */
export const DEFAULTS_FILE = "vmm_exec_kvm.conf";

/** The driver defaults that apply when the administrator has written none. */
export function embeddedDefaults(architecture: Architecture): { readonly name: string; readonly text: string } {
  return architecture === "aarch64" ? { name: "embedded arm64 defaults", text: arm64 } : { name: "embedded x86_64 defaults", text: x86_64 };
}

/** The architecture of a machine by the name of its kernel or runtime. */
export function architectureOf(machine: string): Architecture {
  if (["x86_64", "x64", "amd64"].includes(machine)) return "x86_64";
  if (["aarch64", "arm64"].includes(machine)) return "aarch64";
  throw new OnevirtError("NOT_SUPPORTED", `Cannot choose driver defaults for "${machine}": expected x86_64 or aarch64`);
}
