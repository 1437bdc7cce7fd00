import { inQuotes } from "./template-text.ts";

/** A value in quotes, as OpenNebula's template lexer reads it: whatever is in it, it cannot end the value or the line. */
export function quoted(value: string | number | bigint): string {
  return inQuotes(String(value).toWellFormed().replace(/[\p{Cc}\uFFFE\uFFFF]+/gu, " "));
}

/** `NAME = [ KEY = "value", … ]` with a line end, without the keys whose values are not known. */
export function vectorLine(name: string, values: Readonly<Record<string, string | number | undefined>>): string {
  return `${name} = [ ${Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [`${key} = ${quoted(value)}`])).join(", ")} ]\n`;
}

/** Lines `NAME=value`, without those whose value is not known. Numbers and words are not quoted; `quoted` does what else needs it. */
export function attributeLines(values: Readonly<Record<string, string | number | bigint | undefined>>): string {
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}\n`])).join("");
}
