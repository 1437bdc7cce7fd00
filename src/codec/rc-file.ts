import { parseKvmrc } from "./kvmrc.ts";

/**
 * Variables that a shell file of the front-end gives to its driver (driver-protocol.md 1.2): names assigned at the very start of a line.
 * A file with shell code is read line by line, as far as plain assignments go: it was made to be sourced, and we start no shell for it.
 */
export function rcVariables(text: string): Readonly<Record<string, string>> {
  const parsed = parseKvmrc(text);
  const all = parsed.plain ? parsed.assignments : text.split("\n").flatMap(plainAssignments);
  const exported = new Set(text.split("\n").map((line) => /^([A-Za-z_]\w*)=/.exec(line)?.[1]));
  return Object.fromEntries(all.filter(({ name }) => exported.has(name)).map(({ name, value }) => [name, value]));
}

function plainAssignments(line: string): readonly { readonly name: string; readonly value: string }[] {
  const parsed = parseKvmrc(line);
  return parsed.plain ? parsed.assignments : [];
}
