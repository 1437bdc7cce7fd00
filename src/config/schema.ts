import { z, type ZodType } from "zod";
import type { Kind, Row, Value } from "../core/settings.ts";

type Schema = ZodType<Value, string>;

/** The schema of a setting's text, built from its row; undefined is an absent setting. Agrees with `interpret` of core, which the hot path uses instead. */
export function schemaOf(row: Row): ZodType<Value> {
  const absent = z.preprocess((raw) => (raw === "" && row.emptyIsUnset ? undefined : raw), KINDS[row.kind](row).default(row.default as never));
  return row.tolerant ? absent.catch(row.default) : absent;
}

const said = (raw: unknown) => JSON.stringify(raw);
const expected = (what: string) => ({ error: ({ input }: { input?: unknown }) => `expected ${what}, found ${said(input)}` });
const withoutControls = z.string().regex(/^[^\x00-\x1f\x7f]*$/, "contains a control character");

const number = (row: Row, orElse = ""): ZodType<number, string> => {
  const minimum = row.minimum ?? 0;
  const message = expected(`a whole number${minimum > 0 ? ` of at least ${minimum}` : ""}${orElse}`);
  return z
    .string()
    .refine((raw) => /^[ \t]*[0-9]{1,9}[ \t]*$/.test(raw) && Number(raw) >= minimum, message)
    .transform((raw) => Math.max(Number(raw), row.raisedTo ?? 0));
};

const words = z
  .string()
  .regex(/^[^\x00-\x08\x0b-\x1f\x7f]*$/, "contains a control character")
  .transform((raw) => raw.split(/[ \t\n]/).filter(Boolean));

const KINDS: { readonly [K in Kind]: (row: Row) => Schema } = {
  "text": () => withoutControls,
  "flag": () => z.string().transform((raw) => raw === "yes"),
  "flag-any-case": () => z.string().transform((raw) => /^yes$/i.test(raw)),
  "seconds": (row) => number(row),
  "count": (row) => number(row),
  "digits": () => z.string().regex(/^([0-9]{1,20})?$/, expected("digits")),
  "digits-or-auto": () => z.string().regex(/^([0-9]{1,20}|auto)?$/, expected("digits, or auto")),
  "words": () => words,
  "command": () => words.refine((parts) => parts.length > 0, "expected a command, found only blanks"),
  "uri": () => z.string().min(1, { error: "is empty", abort: true }).regex(/^[^ \t\n]*$/, { error: "contains a blank", abort: true }).and(withoutControls) as unknown as Schema,
  "path": () => withoutControls.startsWith("/", expected("an absolute path")),
  "limit": (row) => z.string().transform((raw, context) => readLimit(raw, row, context)),
};

function readLimit(raw: string, row: Row, context: z.RefinementCtx): number | null {
  if (raw === "none") return null;
  const limit = number(row, ", or none").safeParse(raw);
  if (limit.success) return limit.data;
  for (const { message } of limit.error.issues) context.addIssue({ code: "custom", message, input: raw });
  return z.NEVER;
}
