import { parseKvmrc } from "../codec/kvmrc.ts";
import { configError, textOf } from "./problem.ts";
import type { Raw, RawValues } from "./raw.ts";
import type { Source } from "./sources.ts";

/** The values of onevirt.conf, the later file overriding the earlier one. It has the syntax of kvmrc, but no shell ever sees it. */
export function readOwn(sources: readonly Source[]): RawValues {
  return new Map(sources.flatMap((source) => readOwnFile(source)));
}

/** The assignments of one onevirt.conf, in their order. */
export function readOwnFile(source: Source): readonly [string, Raw][] {
  const { path } = source;
  const file = parseKvmrc(textOf(source));
  if (!file.plain) {
    const reason = "expected NAME=value without shell expansions or commands";
    throw configError({ path, line: file.line, reason, hint: "put values with other characters than letters, digits and -./:_ between single quotes" });
  }
  return file.assignments.map(({ name, value, line }) => [name, { text: value, origin: { path, line } }]);
}

/** The name of an action's limit in onevirt.conf. */
export function limitName(action: string): string {
  return `LIMIT_${action.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`;
}
