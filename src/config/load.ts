import { interpret, isUnset, LIMIT, OWN, VARIABLES, type OwnName, type Row, type Settings, type Value, type VariableName } from "../core/settings.ts";
import type { RunBash } from "./bash.ts";
import { readKvmrc } from "./kvmrc.ts";
import { limitName, readOwn } from "./own.ts";
import { configError, type Problem } from "./problem.ts";
import type { Origin, Raw, RawValues } from "./raw.ts";
import type { Sources } from "./sources.ts";

/** The configuration, where each value comes from, and what could not be used (its setting then has its default). */
export interface Loaded {
  readonly settings: Settings;
  /** By name of the setting; what is absent has its default. */
  readonly origins: ReadonlyMap<string, Origin>;
  readonly problems: readonly Problem[];
}

/** Makes the configuration from its files. Runs on every action: bash only for what is not plain, never a schema library. */
export async function loadSettings(sources: Sources, actionNames: readonly string[], runBash: RunBash): Promise<Loaded> {
  const reader = new Reader();
  const kvmrc = reader.table(VARIABLES, await readKvmrc(sources.kvmrc, runBash)) as Settings["kvmrc"];
  const own = readOwn(sources.own);
  const onevirt = reader.table(OWN, own) as Settings["onevirt"];
  const limits = reader.limits(actionNames, own);
  return { settings: Object.freeze({ kvmrc, onevirt, limits }), origins: reader.origins, problems: reader.problems };
}

/** The settings, unless something that this action reads could not be used: its first problem is then the error. */
export function requireSettings(loaded: Loaded, action: string, variables: readonly VariableName[]): Settings {
  const problem = loaded.problems.find(({ setting = "" }) => variables.includes(setting as VariableName) || setting === limitName(action) || isOwnOf(action, setting));
  if (problem) throw configError(problem);
  return loaded.settings;
}

function isOwnOf(action: string, name: string): boolean {
  if (!Object.hasOwn(OWN, name)) return false;
  const { readBy }: Row = OWN[name as OwnName];
  return readBy.includes("all") || readBy.includes(action);
}

class Reader {
  readonly origins = new Map<string, Origin>();
  readonly problems: Problem[] = [];

  table(rows: Readonly<Record<string, Row>>, raws: RawValues): Readonly<Record<string, Value>> {
    const values: Record<string, Value> = {};
    for (const setting in rows) values[setting] = this.value(setting, rows, raws);
    return Object.freeze(values);
  }

  limits(actionNames: readonly string[], raws: RawValues): Settings["limits"] {
    const limits: Record<string, number | null> = {};
    for (const action of actionNames) {
      const setting = limitName(action);
      const raw = raws.get(setting);
      if (raw) limits[action] = this.read(setting, setting, LIMIT, raw) as number | null;
    }
    return Object.freeze(limits);
  }

  private value(setting: string, rows: Readonly<Record<string, Row>>, raws: RawValues): Value {
    const row = rows[setting]!;
    const raw = raws.get(setting);
    if (raw && !isUnset(row, raw.text)) return this.read(setting, setting, row, raw);
    const other = row.fallback === undefined ? undefined : raws.get(row.fallback);
    return other ? this.read(setting, row.fallback!, rows[row.fallback!]!, other) : row.default;
  }

  /** `name` is the one that stands in the file. A limit that cannot be read must not become "no limit", but its action stops anyway. */
  private read(setting: string, name: string, row: Row, { text, origin }: Raw): Value {
    const reading = interpret(row, text);
    if ("value" in reading) {
      if (!isUnset(row, text)) this.origins.set(setting, origin);
      return reading.value;
    }
    this.problems.push({ setting, name, ...origin, reason: reading.problem, hint: hintFor(text) });
    return row.default;
  }
}

function hintFor(text: string): string {
  return text.endsWith("\r") ? "convert the file to Unix line ends: the carriage return is part of the value" : "correct the value, or take the line out to have the default";
}
