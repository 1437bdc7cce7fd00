import { OnevirtError } from "../core/errors.ts";
import arm64 from "./defaults/arm64.conf" with { type: "text" };
import x86_64 from "./defaults/x86_64.conf" with { type: "text" };

export type Architecture = "x86_64" | "aarch64";

/** What an administrator may leave on a host that generates its domains itself: driver defaults, and attributes of host and cluster. */
const FILES = { defaults: "vmm_exec_kvm.conf", host: "host.conf", cluster: "cluster.conf" } as const;

/**
 * Where these files are looked for; the first that exists counts. What lies in our directory of the remotes tree reaches every
 * host with `onehost sync`, /etc/onevirt holds for one host. Never below `etc` of the tree: tools that upgrade it refuse unknown files.
 */
export function administratorPaths(tree: string, file: keyof typeof FILES): readonly string[] {
  return [`/etc/onevirt/${FILES[file]}`, `${tree}/onevirt/${FILES[file]}`];
}

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
