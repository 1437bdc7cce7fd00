import { OnevirtError } from "../core/errors.ts";
import type { Source } from "./sources.ts";

/** Something in a configuration file that cannot be used. */
export interface Problem {
  /** The setting that has no value because of it; absent when the whole file is in question. */
  readonly setting?: string;
  /** The name that stands in the file. */
  readonly name?: string;
  readonly path: string;
  /** Unknown where bash computed the value. */
  readonly line?: number | undefined;
  readonly reason: string;
  readonly hint: string;
}

/** The error that stops an action because of a problem. */
export function configError({ name, path, line, reason, hint }: Problem): OnevirtError {
  const what = name === undefined ? `"${path}"` : `${name} in "${path}"`;
  return new OnevirtError("BAD_CONFIG", `Cannot read ${what}${line === undefined ? "" : ` line ${line}`}: ${reason}`, { hint });
}

/** The text of a source. Unreadable is an error, never defaults: upstream's Ruby readers go on without a word (install-and-sync.md 7.2). */
export function textOf(source: Source): string {
  if ("text" in source) return source.text;
  throw configError({ path: source.path, reason: source.unreadable, hint: "make oneadmin its owner, with mode 0640, on the front-end, and run onehost sync" });
}
