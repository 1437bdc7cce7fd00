import { parseProbeSettings } from "../codec/probe-settings.ts";
import { messageOf } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";

/** probe_db.conf (monitoring.md 8.3). */
export interface LedgerSettings {
  /** Passes without a VM after which its absence is believed. */
  readonly timesMissing: number;
  /** How long what is known of VMs may lie unused until it is forgotten. */
  readonly obsoleteSeconds: number;
}

/** Upstream's program without the file; its package brings one with five passes. */
const DEFAULTS = { times_missing: 3, obsolete: 720 };

/** What was said last of a file that cannot be read: passes come every few seconds. */
let complaint = "";

/** Reads probe_db.conf, which both drivers share. What it does not say, or nobody can read, is as upstream has it. */
export function readLedgerSettings({ files, tree, log }: Pick<Context, "files" | "tree" | "log">): LedgerSettings {
  const path = `${tree}/etc/im/kvm-probes.d/probe_db.conf`;
  try {
    const settings = parseProbeSettings(files.findText(path, 1024 * 1024) ?? "", path);
    complaint = "";
    return { timesMissing: wholeNumber(settings.times_missing) ?? DEFAULTS.times_missing, obsoleteSeconds: (wholeNumber(settings.obsolete) ?? DEFAULTS.obsolete) * 60 };
  } catch (error) {
    if (complaint !== messageOf(error)) log.log("WARN", messageOf(error));
    complaint = messageOf(error);
    return { timesMissing: DEFAULTS.times_missing, obsoleteSeconds: DEFAULTS.obsolete * 60 };
  }
}

function wholeNumber(value: unknown): number | undefined {
  const number = Number(value ?? Number.NaN);
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
