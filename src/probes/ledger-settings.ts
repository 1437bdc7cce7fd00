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

/** What was said last of a file that cannot be read, and what the file meant: passes come every few seconds. */
let complaint = "";
let understood: { readonly text: string | undefined; readonly path: string; readonly settings: LedgerSettings } | undefined;

/** Reads probe_db.conf, which both drivers share. What it does not say, or nobody can read, is as upstream has it. */
export function readLedgerSettings({ files, tree, log }: Pick<Context, "files" | "tree" | "log">): LedgerSettings {
  const path = `${tree}/etc/im/kvm-probes.d/probe_db.conf`;
  try {
    const text = files.findText(path, 1024 * 1024);
    if (understood === undefined || understood.text !== text || understood.path !== path) understood = { text, path, settings: parse(text ?? "", path) };
    complaint = "";
    return understood.settings;
  } catch (error) {
    if (complaint !== messageOf(error)) log.log("WARN", messageOf(error));
    complaint = messageOf(error);
    return { timesMissing: DEFAULTS.times_missing, obsoleteSeconds: DEFAULTS.obsolete * 60 };
  }
}

function parse(text: string, path: string): LedgerSettings {
  const { times_missing, obsolete } = parseProbeSettings(text, path);
  return { timesMissing: wholeNumber(times_missing) ?? DEFAULTS.times_missing, obsoleteSeconds: (wholeNumber(obsolete) ?? DEFAULTS.obsolete) * 60 };
}

function wholeNumber(value: unknown): number | undefined {
  const number = Number(value ?? Number.NaN);
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
