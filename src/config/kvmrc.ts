import { parseKvmrc } from "../codec/kvmrc.ts";
import type { RunBash } from "./bash.ts";
import { textOf } from "./problem.ts";
import type { RawValues } from "./raw.ts";
import type { Source } from "./sources.ts";

const NOTHING: RawValues = new Map();

/** The values of kvmrc. No shell runs for a file of plain assignments; none at all means that everything has its default. */
export function readKvmrc(source: Source | undefined, runBash: RunBash): RawValues | Promise<RawValues> {
  if (source === undefined) return NOTHING;
  const { path } = source;
  const file = parseKvmrc(textOf(source));
  if (!file.plain) return byBash(path, file.line, runBash);
  return new Map(file.assignments.map(({ name, value, line }) => [name, { text: value, origin: { path, line } }]));
}

async function byBash(path: string, line: number, runBash: RunBash): Promise<RawValues> {
  const { evaluate } = await import("./bash.ts");
  return (await evaluate(path, line, runBash)).values;
}
