import { messageOf, OnevirtError } from "../core/errors.ts";

/** Settings of a probe by name without the leading colon that Ruby's YAML gives them. */
export type ProbeSettings = Readonly<Record<string, unknown>>;

/** Reads a YAML file of im/kvm-probes.d. BAD_CONFIG when it is no map. */
export function parseProbeSettings(text: string, path: string): ProbeSettings {
  const value = read(text, path);
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw new OnevirtError("BAD_CONFIG", `Cannot use "${path}": it is not a map of settings`);
  return withoutColons(value) as ProbeSettings;
}

/** The strings of a setting that may be one or a list; undefined when it is not set, or null. */
export function stringsOf(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  return [value].flat().map(String);
}

function read(text: string, path: string): unknown {
  try {
    return Bun.YAML.parse(text);
  } catch (cause) {
    throw new OnevirtError("BAD_CONFIG", `Cannot read "${path}": ${messageOf(cause)}`, { cause });
  }
}

function withoutColons(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutColons);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.replace(/^:/, ""), withoutColons(inner)]));
}
