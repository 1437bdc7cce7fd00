import type { CommandResult } from "../../../src/core/ports.ts";
import { loadSettings, type Loaded } from "../../../src/config/load.ts";
import type { Sources } from "../../../src/config/sources.ts";

export const KVMRC = "/tree/etc/vmm/kvm/kvmrc";
export const OWN = "/tree/onevirt/onevirt.conf";
export const HOST_OWN = "/etc/onevirt/onevirt.conf";
export const ACTIONS = ["deploy", "shutdown", "attach_disk"];

/** Runs a program for real, for tests that are about bash. */
export async function run(argv: readonly string[]): Promise<CommandResult> {
  const child = Bun.spawn([...argv], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, exitCode] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { exitCode, stdout, stderr };
}

/** A bash that must not be needed. */
export function noBash(argv: readonly string[]): Promise<CommandResult> {
  throw new Error(`Unexpected program ${argv.join(" ")}`);
}

/** Sources of these texts; undefined is a missing file. */
export function sources(kvmrc?: string, own?: string, hostOwn?: string): Sources {
  return {
    kvmrc: kvmrc === undefined ? undefined : { path: KVMRC, text: kvmrc },
    own: [...(own === undefined ? [] : [{ path: OWN, text: own }]), ...(hostOwn === undefined ? [] : [{ path: HOST_OWN, text: hostOwn }])],
  };
}

/** The configuration of these texts, without bash. */
export function load(kvmrc?: string, own?: string, hostOwn?: string): Promise<Loaded> {
  return loadSettings(sources(kvmrc, own, hostOwn), ACTIONS, noBash);
}
