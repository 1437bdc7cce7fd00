import { OnevirtError } from "../core/errors.ts";
import type { MigrationParameters } from "../core/ports.ts";
import { MIGRATE, NEEDS, OPTIONS, type OptionRow, PARAMETER } from "./options.ts";

/** What is done to a migration that takes longer than its timeout. */
export type AtTimeout = "suspend" | "postcopy";

/** How a migration is run. */
export interface MigrationOptions {
  /** virDomainMigrateFlags. */
  readonly flags: number;
  readonly parameters: MigrationParameters;
  readonly peerToPeer: boolean;
  /** Seconds of live migration before `atTimeout`; undefined for as long as it takes. */
  readonly timeoutSeconds: number | undefined;
  readonly atTimeout: AtTimeout;
  /** Switch to post-copy when all memory was sent once. */
  readonly postcopyAfterPrecopy: boolean;
  readonly postcopy: boolean;
}

/** Options of one VM (OpenNebula 7.4): values of a cloud's users. */
export interface VmOptions {
  /** FEATURES/MIGRATE_AUTO_CONVERGE: `INITIAL[,INCREMENT]`. */
  readonly autoConverge: string;
  /** FEATURES/MIGRATE_COMPRESSED: exactly YES. */
  readonly compressed: string;
}

type Parameters = Record<string, string | number | bigint | readonly string[]>;

/** Reads MIGRATE_OPTIONS, then what the VM asks for. BAD_CONFIG names the word that cannot be used, BAD_INPUT the value of the VM. */
export function readMigrationOptions(words: readonly string[], vm: VmOptions): MigrationOptions {
  const given = new Map<string, string>();
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) takeWord(word, rest, given);
  for (const [name, needed] of Object.entries(NEEDS)) if (given.has(name) && !given.has(needed)) throw refused(`--${name}`, `it needs --${needed}`);
  if (given.has("timeout-suspend") && given.has("timeout-postcopy")) throw refused("--timeout-suspend", "--timeout-postcopy stands beside it");
  if (given.has("timeout-postcopy") && !given.has("postcopy")) throw refused("--timeout-postcopy", "it needs --postcopy");
  if (given.has("copy-storage-all") && given.has("copy-storage-inc")) throw refused("--copy-storage-inc", "--copy-storage-all stands beside it");
  const forVm = readVm(vm);
  const flags = flagsOf(given) | forVm.flags;
  return {
    flags,
    parameters: { ...parametersOf(given), ...forVm.parameters },
    peerToPeer: given.has("p2p"),
    timeoutSeconds: given.has("timeout") ? number("--timeout", given.get("timeout") ?? "", 0x7fff_ffff) : undefined,
    atTimeout: given.has("timeout-postcopy") ? "postcopy" : "suspend",
    postcopyAfterPrecopy: given.has("postcopy-after-precopy"),
    postcopy: (flags & MIGRATE.VIR_MIGRATE_POSTCOPY) !== 0,
  };
}

function takeWord(word: string, rest: string[], given: Map<string, string>): void {
  const [, name = "", attached] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  const row = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
  if (!row) throw refused(word, "virsh migrate has no such option");
  if ("refused" in row) throw refused(`--${name}`, `it ${row.refused}`);
  if (!takesValue(row)) {
    if (attached !== undefined) throw refused(word, "it takes no value");
    given.set(name, "");
    return;
  }
  const value = attached ?? rest.shift();
  if (value === undefined || value === "" || value.startsWith("--")) throw refused(`--${name}`, "its value is missing");
  given.set(name, value);
}

function takesValue(row: OptionRow): boolean {
  return "value" in row && row.value !== undefined;
}

function flagsOf(given: ReadonlyMap<string, string>): number {
  return [...given.keys()].reduce((flags, name) => {
    const row = OPTIONS[name];
    return row && "flag" in row ? flags | row.flag : flags;
  }, MIGRATE.VIR_MIGRATE_LIVE as number);
}

function parametersOf(given: ReadonlyMap<string, string>): MigrationParameters {
  const parameters: Parameters = {};
  for (const [name, value] of given) {
    const row = OPTIONS[name];
    if (row && "parameter" in row) parameters[row.parameter] = parameterValue(`--${name}`, value, row.value);
  }
  return parameters;
}

function parameterValue(option: string, value: string, kind: "text" | "int" | "unsigned" | "list"): string | number | bigint | readonly string[] {
  if (kind === "int") return number(option, value, 0x7fff_ffff);
  if (kind === "unsigned") return BigInt(number(option, value, Number.MAX_SAFE_INTEGER));
  return kind === "list" ? value.split(",").filter((each) => each !== "") : value;
}

function number(option: string, value: string, most: number): number {
  if (/^\d{1,16}$/.test(value) && Number(value) <= most) return Number(value);
  throw refused(option, `${JSON.stringify(value.slice(0, 80))} is not a whole number of at most ${most}`);
}

function readVm({ autoConverge, compressed }: VmOptions): { readonly flags: number; readonly parameters: MigrationParameters } {
  const flags = compressed === "YES" ? MIGRATE.VIR_MIGRATE_COMPRESSED : 0;
  if (autoConverge === "") return { flags, parameters: {} };
  const [, initial, increment] = /^([1-9]\d?)(?:,([1-9]\d?))?$/.exec(autoConverge) ?? [];
  if (initial === undefined) throw new OnevirtError("BAD_INPUT", `Cannot use FEATURES/MIGRATE_AUTO_CONVERGE of the VM, ${JSON.stringify(autoConverge.slice(0, 80))}: expected INITIAL or INITIAL,INCREMENT as percentages from 1 to 99`);
  return { flags: flags | MIGRATE.VIR_MIGRATE_AUTO_CONVERGE, parameters: { [PARAMETER.initial]: Number(initial), ...(increment === undefined ? {} : { [PARAMETER.increment]: Number(increment) }) } };
}

function refused(word: string, reason: string): OnevirtError {
  return new OnevirtError("BAD_CONFIG", `Cannot use ${word} in MIGRATE_OPTIONS: ${reason}`, { hint: "correct MIGRATE_OPTIONS in etc/vmm/kvm/kvmrc" });
}
