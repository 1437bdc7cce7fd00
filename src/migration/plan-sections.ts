import type { Finding } from "./preflight.ts";

/** A title and its lines, or nothing when there are none. */
export function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`)];
}

/** Steps in their order. */
export function numbered(steps: readonly string[]): readonly string[] {
  return steps.map((step, index) => `${index + 1}. ${step}`);
}

/** How a plan ends: what should be known, and whether it would be done. */
export function verdict(findings: readonly Finding[]): readonly string[] {
  const of = (wanted: Finding["kind"]) => findings.filter(({ kind }) => kind === wanted).map(({ text }) => text);
  const refusals = of("refusal");
  return [...section("To be known", of("warning")), ...(refusals.length === 0 ? ["It would be done."] : section("It would be refused", refusals))];
}
