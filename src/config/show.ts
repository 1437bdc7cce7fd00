import { LIMIT, OWN, VARIABLES, type Row, type Value } from "../core/settings.ts";
import { loadSettings, type Loaded } from "./load.ts";
import type { RunBash } from "./bash.ts";
import { limitName } from "./own.ts";
import type { Origin } from "./raw.ts";
import type { Sources } from "./sources.ts";

/** One setting as people and programs may want to see it. */
export interface Shown {
  readonly file: "kvmrc" | "onevirt.conf";
  readonly name: string;
  readonly value: Value;
  readonly origin: Origin | undefined;
  readonly unit: string | undefined;
  readonly about: string;
  /** Why the text in the file cannot be used; `value` is then the default. */
  readonly problem: string | undefined;
}

/** Every setting with its value and where that comes from; limits only where one is set, because the action table has the others. */
export async function show(sources: Sources, actionNames: readonly string[], runBash: RunBash): Promise<Shown[]> {
  const loaded = await loadSettings(sources, actionNames, runBash);
  const { kvmrc, onevirt, limits } = loaded.settings;
  return [
    ...Object.entries(kvmrc).map(([name, value]) => shown("kvmrc", name, value, VARIABLES[name as keyof typeof VARIABLES], loaded)),
    ...Object.entries(onevirt).map(([name, value]) => shown("onevirt.conf", name, value, OWN[name as keyof typeof OWN], loaded)),
    ...Object.entries(limits).map(([action, value]) => shown("onevirt.conf", limitName(action), value, LIMIT, loaded)),
  ];
}

function shown(file: Shown["file"], name: string, value: Value, { unit, about }: Row, { origins, problems }: Loaded): Shown {
  const problem = problems.find(({ setting }) => setting === name);
  const origin = origins.get(name) ?? (problem && place(problem));
  return { file, name, value, origin, unit, about, problem: problem?.reason };
}

const place = ({ path, line }: { path: string; line?: number | undefined }): Origin => (line === undefined ? { path } : { path, line });
