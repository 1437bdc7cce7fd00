import { templateComment, templateValue } from "../../codec/template-text.ts";
import type { SinglePiece, VectorPiece } from "./piece.ts";

/** Values that are numbers or words of their own need no quotes. */
const BARE = /^[A-Za-z0-9._-]+$/;

/** Texts of elements have lines of their own. */
const LINES = ["DATA", "HYPERV_OPTIONS", "SPICE_OPTIONS"];

/** The template as text: what `onetemplate create` reads. */
export function templateLines(template: readonly (SinglePiece | VectorPiece)[]): string {
  return template.map((each) => (each.kind === "single" ? `${each.name} = ${value(each.name, each.value)}\n` : vectorLines(each))).join("");
}

function vectorLines({ name, entries, comments }: VectorPiece): string {
  const keys = Object.entries(entries).map(([key, text]) => `  ${key} = ${value(key, text)}`);
  return `${comments.map((each) => `${templateComment(each)}\n`).join("")}${name} = [\n${keys.join(",\n")} ]\n`;
}

function value(name: string, text: string): string {
  return /^\d+(\.\d+)?$/.test(text) && BARE.test(text) && !NAMES.includes(name) ? text : templateValue(text, { lines: LINES.includes(name) });
}

/** Texts of people, which may look like numbers. */
const NAMES = ["NAME", "DESCRIPTION", "IMAGE"];
