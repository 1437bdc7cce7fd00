/** Outcome of reading a number: what the variable holds afterwards, and whether the whole text was a number in range. */
export interface ReadNumber {
  readonly value: bigint;
  readonly whole: boolean;
}

interface Range {
  readonly min: bigint;
  readonly max: bigint;
}

export const INT32: Range = { min: -(2n ** 31n), max: 2n ** 31n - 1n };
export const UINT32: Range = { min: 0n, max: 2n ** 32n - 1n };
export const INT53: Range = { min: -(2n ** 53n), max: 2n ** 53n };
export const UINT64: Range = { min: 0n, max: 2n ** 64n - 1n };

/**
 * Compat: reads a whole number as oned does (C++ stream extraction): blanks and a sign in front are fine, anything after the
 * digits is not. A malformed text still leaves its leading digits.
 */
export function readInteger(text: string, { min, max }: Range): ReadNumber {
  const match = /^[ \t\n\v\f\r]*([+-]?\d+)/.exec(text);
  if (!match?.[1] || match[1].length > 30) return { value: 0n, whole: false };
  const value = BigInt(match[1].replace(/^\+/, ""));
  if (value < min || value > max) return { value: value < min ? (min < 0n ? min : 0n) : max, whole: false };
  return { value, whole: match[0].length === text.length };
}

/** A decimal number that takes up the whole text; undefined otherwise. */
export function readFloat(text: string): number | undefined {
  return /^[ \t\n\v\f\r]*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

/** The number, when the whole text is an integer of 32 bit. */
export function wholeInteger(text: string): number | undefined {
  const { value, whole } = readInteger(text, INT32);
  return whole ? Number(value) : undefined;
}

/** Compat: throttling and distances. 0 when the text holds anything but digits, the largest number of the type when it is too big. */
export function saturated(text: string, { max }: Range): bigint {
  if (!/^\d+$/.test(text)) return 0n;
  const value = text.length > 30 ? max : BigInt(text);
  return value > max ? max : value;
}
